// A packet whose end has not been told yet.
#pragma once

#include <cstdint>
#include <vector>

#include "model/packet.hpp"

namespace dptrace {

struct LiveDrop {
  Drop drop;
  std::uint64_t skb = 0;
};

struct Live {
  Packet packet;
  std::vector<LiveDrop> drops;
  std::uint64_t last_ns = 0;  ///< of its newest event
  bool unsettled = true;      ///< it has events that its verdict has not been asked about

  // Under which it stands in the indexes of Identity.
  std::vector<std::uint64_t> keys;
  std::vector<std::uint64_t> places;
  std::uint64_t stream = 0;
  std::uint64_t datagram = 0;
  std::uint32_t first_sequence = 0;  ///< TCP: of the payload it carries
  std::uint32_t payload = 0;         ///< TCP: bytes of it, at the newest hop
};

}  // namespace dptrace
