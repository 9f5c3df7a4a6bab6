// These functions put a kind of drop into words.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
#include "words/hop_words.hpp"
#include "words/style.hpp"

namespace dptrace {

/// `NO_SOCKET`, `reason 117`; `no reason given` on kernels without reasons.
void append_drop_reason(Buffer& out, const DropKind& kind, const Names& names);

/// `UDP`, `ICMP echo request`, `ARP`, `IPv6 UDP`, `ethertype 0x88cc`, `no packet`.
void append_drop_protocol(Buffer& out, const DropKind& kind);

/// `closed by its reader`, `no loss: for others`.
std::string_view end_words(End end);

/// The name in JSON and metrics: `udp`, `icmpv6`, `132`, `arp`, `0x88cc`; empty when it is no
/// packet.
std::string drop_protocol_name(const DropKind& kind);

/// These words stand for the reason, location and protocol of a row that is `folded`.
inline constexpr std::string_view kFoldedWords = "other kinds, not told apart";

/// The words of append_interface(), or `no interface`.
void append_drop_interface(Buffer& out, InterfaceId id, const Names& names, const View& view);

/// The pod's `namespace/name`, or the address.
void append_drop_pod(Buffer& out, const Address& address, const Names& names, std::uint64_t at_ns);

/// A sentence about a loss whose reason says nothing: `ip_error: no route, ...`; empty when nothing
/// is known.
std::string drop_site_words(const DropRow& row, const Names& names);

/// Why packets of the row's kinds died, with commands that are complete; nothing when nobody asks.
std::optional<Explanation> explanation_of(const DropRow& row, const Names& names);

/// The cause of the row when one is proved; else empty.
std::string_view proved_cause(const DropRow& row);

/// `12:00:01`, or `Nov 20` on another day than that of `now_ns`.
std::string time_words(std::uint64_t time_ns, std::uint64_t now_ns, const Names& names);

/// `2026-11-20 12:00:01`.
std::string date_words(std::uint64_t time_ns, const Names& names);

/// `98.4K`, powers of 1024.
std::string size_words(std::uint64_t bytes);

/// `12.5`, `1.25M`: packets a second.
std::string rate_words(double rate);

}  // namespace dptrace
