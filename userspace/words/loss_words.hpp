// These functions put into words where and why a packet, or a part or copy of it, was lost.
#pragma once

#include <cstdint>
#include <optional>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/hop_words.hpp"
#include "words/style.hpp"

namespace dptrace {

/// The drop that decided, without a newline: `DROPPED at eth0 (uplink), in IPIP 192.168.56.11 →
/// 192.168.56.12: NETFILTER_DROP in nft_do_chain+0x40f, 2 of 18 segments (seq 1448–4343)`.
void append_drop(Buffer& out, const Packet& packet, const Names& names, const Paint& paint);

/// Appends the other losses of the packet, a line for each place and reason, copies first: `DROPPED
/// a copy at eth0 in pod default/web: NETFILTER_DROP in nft_do_chain+0x40f`.
void append_other_losses(Buffer& out, const Packet& packet, const Names& names, const Paint& paint,
                         bool verbose);

/// Appends lines below that of a drop: what is known of the function when the reason says nothing,
/// the rule or the hook function that dropped the packet and, with `verbose`, the stack. `drop` is
/// one of the packet's.
void append_drop_details(Buffer& out, const Packet& packet, const Drop& drop, const Names& names,
                         const Paint& paint, bool verbose);

/// ` at eth0 (uplink)`; nothing when the device is not known.
void append_place(Buffer& out, std::string_view word, InterfaceId id, const Names& names,
                  const View& view);

/// True when this hop is the end of which the lines of losses tell.
bool is_told_as_loss(const Packet& packet, const Hop& hop);

}  // namespace dptrace
