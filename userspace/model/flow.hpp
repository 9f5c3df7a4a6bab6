// These functions read a flow's header: ports, fragments, echoes, and destinations that stand for
// many.
#pragma once

#include <cstdint>

#include "dptrace/event.h"

namespace dptrace {

/// True for TCP, UDP and SCTP.
bool has_ports(std::uint8_t protocol);

/// True for ICMP and ICMPv6.
bool is_icmp(std::uint8_t protocol);

/// True for an echo request or reply of ICMP or ICMPv6.
bool is_echo(std::uint8_t protocol, std::uint8_t type);

/// True when the IP destination is a multicast address or the broadcast one.
bool is_multicast(const dpt_flow& flow);

/// True for a fragment of a datagram, false for a whole one.
bool is_fragment(const dpt_flow& flow);
/// True for a fragment that does not begin with the header of layer 4.
bool is_later_fragment(const dpt_flow& flow);
/// True for the fragment with which a datagram ends.
bool is_last_fragment(const dpt_flow& flow);
/// The number of bytes of the datagram's payload before this fragment.
std::uint32_t fragment_offset(const dpt_flow& flow);
bool more_fragments(const dpt_flow& flow);

}  // namespace dptrace
