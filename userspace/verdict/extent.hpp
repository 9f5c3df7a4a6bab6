// The extent of an skb is the bytes of the packet that it carries: all of them, or a part.
#pragma once

#include <cstdint>

#include "dptrace/event.h"
#include "model/flow.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// Bytes [begin, end) of a packet's payload, counted from the first byte that was seen of it.
struct Range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;

  std::uint32_t size() const { return end - begin; }
  bool covers(const Range& other) const { return begin <= other.begin && other.end <= end; }
  /// An empty range (a pure acknowledgment) meets any range that it lies in.
  bool meets(const Range& other) const {
    if (size() == 0 || other.size() == 0) return covers(other) || other.covers(*this);
    return begin < other.end && other.begin < end;
  }
  friend bool operator==(const Range&, const Range&) = default;
};

/// An extent counts on the scale of the wire: in TCP sequence numbers, which wrap, or in bytes
/// behind the IP header.
struct Extent {
  Part::Kind kind = Part::Kind::kSegment;
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
};

Extent extent_of(const dpt_flow& flow);

/// The most bytes of options that a TCP header has. Where a header's length was not read, they
/// count as payload.
inline constexpr std::uint32_t kTcpOptions = 40;

/// Bytes of TCP payload; 0 for other protocols.
std::uint32_t tcp_payload(const dpt_flow& flow);

/// Bytes of payload of a whole UDP datagram.
std::uint32_t udp_payload(const dpt_flow& flow);

}  // namespace dptrace
