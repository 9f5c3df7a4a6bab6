// Live is a packet whose end has not been told yet: a tree of skbs. Each part (a TCP segment, an IP
// fragment) carries a range of the packet, and all parts must arrive; copies (a flood, a mirror, a
// sniffer) carry the same range, and one arrival is enough.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/packet.hpp"
#include "model/tuple.hpp"
#include "verdict/departure.hpp"
#include "verdict/extent.hpp"

namespace dptrace {

/// A fate is what became of one skb.
enum class Fate : std::uint8_t {
  kOpen,      ///< under way, or not heard of again
  kTaken,     ///< a socket or a protocol has it
  kClosed,    ///< it came to a connection that its reader had closed
  kAsked,     ///< a listener has been asked for a connection, and has not answered
  kLost,      ///< the kernel threw it away
  kUnwanted,  ///< freed because it was meant for others
  kFreed,     ///< freed, which says nothing about the packet: a sniffer's copy, a leftover
  kConsumed,  ///< freed quietly
  kSealed,    ///< IPsec has it; what leaves in its skb is another packet
  kKept,      ///< a netfilter hook keeps it: queued to user space, or until its datagram is whole
  kMerged,    ///< its bytes went on in another skb: reassembly, GRO
};

/// True when the skb came to its receiver.
constexpr bool has_arrived(Fate fate) { return fate == Fate::kTaken || fate == Fate::kClosed; }

inline constexpr std::uint16_t kNoParent = 0xffff;

struct Branch {
  std::uint64_t skb = 0;
  std::uint64_t key = 0;
  Tuple tuple;  ///< as last seen
  Range range;
  InterfaceId first;  ///< device at which this skb was seen first
  InterfaceId last;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
  std::uint16_t parent = kNoParent;  ///< branch that this skb was copied or cut from
  std::uint8_t first_point = 0;      ///< enum dpt_point
  std::uint8_t last_point = 0;
  Fate fate = Fate::kOpen;
  bool looped = false;  ///< the sender's own copy of a multicast or broadcast

  bool has_ended() const {
    return fate != Fate::kOpen && fate != Fate::kKept && fate != Fate::kSealed;
  }
  /// True when the bytes may go on in another skb: the kernel consumes an skb that it has cut into
  /// segments, or that OVS has handed to user space.
  bool may_go_on() const { return !has_ended() || fate == Fate::kConsumed; }
};

struct LiveDrop {
  Drop drop;
  std::uint16_t branch = 0;
};

/// A crossing is an skb at a device. The same bytes come to a device once, unless the packet is in
/// a loop, where its TTL falls.
struct Crossing {
  InterfaceId interface;
  Range range;
  std::uint32_t outer = 0;  ///< hash of the tunnel's id, source and destination; 0: no tunnel
  std::uint8_t point = 0;
  std::uint8_t ttl = 0;
  bool looped = false;  ///< the sender's own copy of a multicast or broadcast
};

struct Live {
  Packet packet;
  std::vector<Branch> branches;  ///< the first is the skb it was first seen in
  std::vector<Crossing> crossings;
  std::vector<LiveDrop> drops;
  std::uint64_t last_ns = 0;  ///< time of its newest event
  std::uint32_t sender = 0;   ///< netns that it was made in; 0: not seen
  bool has_left_sender = false;
  bool matched = false;    ///< the filter itself matched, at one of its hops at least
  bool unsettled = true;   ///< it has events that its verdict has not been asked about
  bool to_many = false;    ///< a multicast or broadcast
  bool encrypted = false;  ///< according to the last judgement; it may wait for a key
  /// According to the last judgement it left, perhaps in vain, which this would refute.
  Refutation awaits = Refutation::kNothing;
  bool unheard = false;  ///< it has waited in vain
  bool in_parts = false;
  std::uint32_t owner = 0;  ///< netns that its destination address was met in before; 0: not known
  bool told = false;        ///< it was handed over; later events of it are not told

  // These define the scale of the ranges.
  Part::Kind kind = Part::Kind::kSegment;
  std::uint32_t base = 0;       ///< Extent::begin of byte 0
  std::uint32_t length = 0;     ///< bytes, as far as is known
  std::uint32_t segment = 0;    ///< UDP GSO: payload of its first segment, 0: none was seen
  std::uint32_t segmented = 0;  ///< UDP GSO over IPv6: bytes that segments have carried
  bool gso_datagrams = false;   ///< one skb that stands for several UDP datagrams

  // These are the keys under which the indexes of Identity have the packet.
  std::vector<std::uint64_t> contents, streams, datagrams;

  Range whole() const { return {0, length}; }
};

}  // namespace dptrace
