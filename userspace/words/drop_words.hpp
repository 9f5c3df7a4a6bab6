// A kind of drop in words.
#pragma once

#include <cstdint>
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

/// As JSON and metrics name it: `udp`, `icmpv6`, `132`, `arp`, `0x88cc`; empty: not a packet.
std::string drop_protocol_name(const DropKind& kind);

/// In place of reason, location and protocol of a row that is `folded`.
inline constexpr std::string_view kFoldedWords = "other kinds, not told apart";

/// As append_interface() says it, or `no interface`.
void append_drop_interface(Buffer& out, InterfaceId id, const Names& names, const View& view);

/// `namespace/name`, or the address.
void append_drop_pod(Buffer& out, const Address& address, const Names& names, std::uint64_t at_ns);

/// Of a loss whose reason says nothing: `ip_error: no route, ...`; empty where nothing is known.
std::string drop_site_words(const DropRow& row, const Names& names);

/// `12:00:01`; of another day than `now`, `Nov 20`.
std::string time_words(std::uint64_t time_ns, std::uint64_t now_ns, const Names& names);

/// `2026-11-20 12:00:01`.
std::string date_words(std::uint64_t time_ns, const Names& names);

/// `98.4K`, powers of 1024.
std::string size_words(std::uint64_t bytes);

/// `12.5`, `1.25M`: packets a second.
std::string rate_words(double rate);

}  // namespace dptrace
