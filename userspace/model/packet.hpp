// A packet has its way through the node: the timeline makes it of events, and the outputs print it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dptrace/event.h"
#include "model/address.hpp"
#include "model/explanation.hpp"
#include "model/interface.hpp"
#include "model/rule.hpp"

namespace dptrace {

/// Why hops of a packet may be missing.
enum class Incomplete : std::uint8_t { kNo, kEventsLost, kNotArmed };

enum class Verdict : std::uint8_t { kDelivered, kLeftNode, kDropped, kStolen, kUnfinished };
inline constexpr std::size_t kVerdicts = 5;

/// The name in JSON: `delivered`, `left-node`, `dropped`, `stolen`, `unfinished`.
std::string_view verdict_name(Verdict verdict);

/// The name in JSON (`tc-ingress`, ...); empty for a value that this version does not know.
std::string_view point_name(std::uint8_t point);

/// A netfilter hook and its verdict on the packet.
struct NetfilterVerdict {
  std::uint8_t family = 0;     ///< NFPROTO_*
  std::uint8_t hook = 0;       ///< NF_INET_*
  std::int32_t result = 0;     ///< of nf_hook_slow: 1 accept, 0 stolen or queued, below 0 drop
  std::uint64_t function = 0;  ///< address of the hook function that decided; 0: not known

  friend bool operator==(const NetfilterVerdict&, const NetfilterVerdict&) = default;
};

struct Hop {
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t skb = 0;
  std::uint32_t cpu = 0;
  std::uint32_t length = 0;  ///< skb->len at this point
  /// A kernel address inside the function that this hop is about; 0: none.
  std::uint64_t function = 0;
  InterfaceId interface;
  dpt_flow flow{};
  /// The packet's skb: 0 is the first, then its copies and parts follow in the order in which they
  /// were met.
  std::uint16_t branch = 0;
  std::uint8_t point = 0;  ///< enum dpt_point
  bool new_flow = false;   ///< the tuple differs from that of the hop before (NAT)
  std::optional<dpt_tunnel> tunnel;
  std::optional<NetfilterVerdict> netfilter;
};

/// The part of a packet that an skb carries: a TCP segment of it, or an IP fragment.
struct Part {
  enum class Kind : std::uint8_t { kSegment, kFragment };
  Kind kind = Kind::kSegment;
  std::uint32_t offset = 0;  ///< a segment's TCP sequence number; a fragment's byte offset
  std::uint32_t length = 0;  ///< bytes of payload

  friend bool operator==(const Part&, const Part&) = default;
};

struct Drop {
  std::uint64_t time_ns = 0;
  std::uint64_t location = 0;           ///< return address into the freeing function
  std::optional<std::uint32_t> reason;  ///< nothing: a kernel without reasons
  InterfaceId interface;
  std::vector<std::uint64_t> stack;  ///< return addresses, innermost first
  bool loss = true;                  ///< false: one of the ends that are no loss (shown by --all)
  std::optional<Part> part;          ///< the part that died; nothing: the whole packet
  bool copy = false;                 ///< what died was a copy: of a flood, a multicast, a mirror
  std::optional<dpt_tunnel> tunnel;  ///< the packet died inside this outer one
  std::optional<DecidingRule> rule;  ///< the rule that dropped it; nothing: none, or not known

  DropId id() const { return {time_ns, interface.netns, interface.index}; }
};

/// The end of one of the copies of a packet that went to many: a flood, a multicast.
struct Copy {
  InterfaceId interface;  ///< device at which it was seen last
  Verdict verdict = Verdict::kUnfinished;

  friend bool operator==(const Copy&, const Copy&) = default;
};

/// The queue of a TCP listener that had no room for a request: it holds `limit` + 1 connections.
struct ListenQueue {
  std::uint32_t waiting = 0;    ///< connections that wait to be accepted
  std::uint32_t limit = 0;      ///< what the program asked listen() for, or the next
  std::uint32_t somaxconn = 0;  ///< net.core.somaxconn of its netns

  friend bool operator==(const ListenQueue&, const ListenQueue&) = default;
};

struct Packet {
  std::uint64_t id = 0;
  Verdict verdict = Verdict::kUnfinished;
  std::vector<Hop> hops;     ///< in time order, never empty
  std::optional<Drop> drop;  ///< the drop that decided
  /// All losses of parts or copies, if there is another than `drop`; else empty.
  std::vector<Drop> drops;
  std::vector<Copy>
      copies;  ///< copies that ended in different places; empty: there was only one way
  Incomplete incomplete = Incomplete::kNo;
  bool retransmission = false;  ///< it carries TCP data that an earlier packet had carried
  /// The largest number of parts (GSO segments, fragments) of the packet that any one device saw;
  /// 0: whole.
  std::uint32_t segments = 0;
  std::optional<Part::Kind> part_kind;  ///< kind of those parts; nothing: not known
  std::uint32_t left_out = 0;           ///< events beyond what is kept of one packet
  bool reader_closed = false;  ///< delivered, but to a connection that its reader had closed
  /// Unfinished: it asked a listener for a connection, in vain so far. Left the node: it asked
  /// somebody outside, who may not know its source address, in vain.
  bool unanswered = false;
  std::optional<ListenQueue> full_listener;  ///< why it is .unanswered; nothing: not known
  bool nobody_wanted = false;  ///< a multicast or broadcast that all who got it threw away
  /// The id of the packet into which GRO merged this one, 0: none.
  std::uint64_t merged_into = 0;

  /// The flow of the first hop that has one: the hook that drops a packet may not know its flow any
  /// more.
  const dpt_flow& flow() const;
  std::uint64_t start_ns() const { return hops.front().time_ns; }
  /// The time of the last hop or, when the packet died after it, of the drop.
  std::uint64_t end_ns() const {
    return drop ? std::max(drop->time_ns, hops.back().time_ns) : hops.back().time_ns;
  }
  std::uint64_t duration_ns() const { return end_ns() - start_ns(); }
};

/// True when the packet was lost, or a part of it, or the copy that one of its receivers should
/// have had.
bool lost_anything(const Packet& packet);

}  // namespace dptrace
