// Freed has the facts about a freed packet by which losses are told from other frees.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "dptrace/drops.h"
#include "model/interface.hpp"
#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

struct Freed {
  std::string function;  ///< the freeing function or, behind a helper, its caller; may be empty
  std::string reason = "NOT_SPECIFIED";  ///< NOT_SPECIFIED also on kernels without reasons
  bool has_reason = true;                ///< the kernel tells reasons
  std::uint8_t family = 0;               ///< 4, 6; 0: not IP
  std::uint8_t protocol = 0;
  std::uint8_t icmp_type = 0;
  dpt_segment segment = DPT_SEGMENT_UNKNOWN;
  std::uint8_t packet_type = 0;  ///< PACKET_*
  bool multicast = false;        ///< its IP destination is a multicast address or the broadcast one
  bool is_packet = true;         ///< false: an skb of a netlink or unix socket
  bool followed = false;         ///< what became of its copies and its connection is known
  bool sockets_seen = true;      ///< a copy that a socket took would be known
  /// Frames for other hosts are normal at the packet's device: it is promiscuous, or a bridge or a
  /// switch floods to it.
  bool flooded = true;
  bool over = false;       ///< TCP: its receiver is known to have closed or reset the connection
  bool half_open = false;  ///< TCP: its receiver had just answered the same SYN again
};

/// The name of the reason, as the rules have it: `NOT_SPECIFIED` on kernels without reasons,
/// `unknown` where the reason has no name.
std::string reason_for_rules(std::optional<std::uint32_t> reason, const Names& names);

/// True when frames for other hosts are normal at the device: the kernel has `told` so, or devices
/// of its kind may be flooded. A null `interface` counts as one that may be.
bool is_flooded(bool told, const Interface* interface);

Freed freed_of(const Drop& drop, const dpt_hop& hop, const Names& names);

}  // namespace dptrace
