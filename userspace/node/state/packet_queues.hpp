// The queues of netfilter (NFQUEUE) that programs read in the calling thread's network namespace.
#pragma once

#include <cstdint>
#include <istream>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct PacketQueue {
  std::uint32_t number = 0;
  std::uint32_t waiting = 0;  ///< packets without a verdict
  std::uint32_t dropped = 0;  ///< packets that had no room, since a program reads the queue
};

/// The queues that a program reads; an empty list where the kernel has none.
Result<std::vector<PacketQueue>> read_packet_queues();

/// The lines of /proc/net/netfilter/nfnetlink_queue.
std::vector<PacketQueue> parse_packet_queues(std::istream& lines);

}  // namespace dptrace
