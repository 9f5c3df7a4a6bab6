// A flow's header in words: ports, fragments, echoes, destinations that stand for many.
#pragma once

#include <cstdint>

#include "dptrace/event.h"

namespace dptrace {

/// TCP, UDP and SCTP.
bool has_ports(std::uint8_t protocol);

/// ICMP and ICMPv6.
bool is_icmp(std::uint8_t protocol);

/// An echo request or reply of ICMP or ICMPv6.
bool is_echo(std::uint8_t protocol, std::uint8_t type);

/// The IP destination is a multicast address or the broadcast one.
bool is_multicast(const dpt_flow& flow);

/// A fragment of a datagram, not the whole.
bool is_fragment(const dpt_flow& flow);
/// A fragment that does not begin with the header of layer 4.
bool is_later_fragment(const dpt_flow& flow);
/// A fragment behind which no other comes.
bool is_last_fragment(const dpt_flow& flow);
/// Bytes of the datagram's payload before this fragment.
std::uint32_t fragment_offset(const dpt_flow& flow);
bool more_fragments(const dpt_flow& flow);

}  // namespace dptrace
