// A packet and its way through the node: what the timeline makes of events and the outputs print.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dptrace/event.h"
#include "model/address.hpp"
#include "model/interface.hpp"

namespace dptrace {

enum class Verdict : std::uint8_t { kDelivered, kLeftNode, kDropped, kStolen, kUnfinished };
inline constexpr std::size_t kVerdicts = 5;

/// As JSON names it: `delivered`, `left-node`, `dropped`, `stolen`, `unfinished`.
std::string_view verdict_name(Verdict verdict);

/// As JSON names it (`tc-ingress`, ...); empty for a value this version does not know.
std::string_view point_name(std::uint8_t point);

/// What a netfilter hook did with the packet.
struct NetfilterVerdict {
  std::uint8_t family = 0;     ///< NFPROTO_*
  std::uint8_t hook = 0;       ///< NF_INET_*
  std::int32_t result = 0;     ///< of nf_hook_slow: 1 accept, 0 stolen or queued, below 0 drop
  std::uint64_t function = 0;  ///< address of the hook function that decided; 0: not known
};

struct Hop {
  std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t skb = 0;
  std::uint32_t cpu = 0;
  std::uint32_t length = 0;  ///< skb->len at this point
  /// Kernel address inside the function that this hop is about; 0: none.
  std::uint64_t function = 0;
  InterfaceId interface;
  dpt_flow flow{};
  std::uint8_t point = 0;  ///< enum dpt_point
  bool new_flow = false;   ///< the tuple differs from that of the hop before (NAT)
  std::optional<dpt_tunnel> tunnel;
  std::optional<NetfilterVerdict> netfilter;
};

struct Drop {
  std::uint64_t time_ns = 0;
  std::uint64_t location = 0;           ///< return address into the freeing function
  std::optional<std::uint32_t> reason;  ///< nothing on kernels without reasons
  InterfaceId interface;
  std::vector<std::uint64_t> stack;  ///< return addresses, innermost first
  bool loss = true;                  ///< false: one of the ends that are no loss (shown by --all)
};

struct Packet {
  std::uint64_t id = 0;
  Verdict verdict = Verdict::kUnfinished;
  std::vector<Hop> hops;  ///< in time order, never empty
  std::optional<Drop> drop;
  /// How many skbs carried parts of it (GSO, fragments) beside the first.
  std::uint32_t segments = 0;
  /// packet_id of the packet that GRO merged this one into, 0: none.
  std::uint64_t merged_into = 0;

  const dpt_flow& flow() const { return hops.front().flow; }
  std::uint64_t start_ns() const { return hops.front().time_ns; }
  /// Of the last hop or, when it died after that, of the drop.
  std::uint64_t end_ns() const {
    return drop ? std::max(drop->time_ns, hops.back().time_ns) : hops.back().time_ns;
  }
  std::uint64_t duration_ns() const { return end_ns() - start_ns(); }
};

}  // namespace dptrace
