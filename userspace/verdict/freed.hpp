// The facts about a freed packet by which losses are told from other frees.
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
  std::string function;  ///< that freed it, helpers that free for others passed over; may be empty
  std::string reason = "NOT_SPECIFIED";  ///< that also on kernels without reasons
  bool has_reason = true;                ///< the kernel tells reasons
  std::uint8_t family = 0;               ///< 4, 6; 0: not IP
  std::uint8_t protocol = 0;
  std::uint8_t icmp_type = 0;
  dpt_segment segment = DPT_SEGMENT_UNKNOWN;
  std::uint8_t packet_type = 0;  ///< PACKET_*
  bool multicast = false;        ///< its IP destination is a multicast address or the broadcast one
  bool is_packet = true;         ///< else an skb of a netlink or unix socket
  bool followed = false;         ///< what became of its copies and its connection is known
  bool sockets_seen = true;      ///< a copy that a socket took would be known
  /// Frames for other hosts come to its device in good order: the device is promiscuous, or a
  /// bridge or a switch floods to it.
  bool flooded = true;
  bool over = false;       ///< TCP: its receiver is known to have closed or reset the connection
  bool half_open = false;  ///< TCP: its receiver had just answered the same SYN again
};

/// `NOT_SPECIFIED` on kernels without reasons.
std::string reason_for_rules(std::optional<std::uint32_t> reason, const Names& names);

/// Frames for other hosts come to the device in good order: `told` by the kernel, or as its kind
/// has it. `interface` may be null.
bool is_flooded(bool told, const Interface* interface);

Freed freed_of(const Drop& drop, const dpt_hop& hop, const Names& names);

}  // namespace dptrace
