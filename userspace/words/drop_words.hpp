// A kind of drop in words.
#pragma once

#include <string>
#include <string_view>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
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

}  // namespace dptrace
