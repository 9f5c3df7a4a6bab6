// What the kernel told of a drop, as causes look at it.
#pragma once

#include <cstdint>
#include <string>
#include <tuple>

#include "dptrace/event.h"
#include "model/address.hpp"
#include "model/names.hpp"

namespace dptrace {

/// What left the node instead of being dropped, see explain/departures.
enum class Departed : std::uint8_t { kNo, kRequest, kReply };

/// The header is the one that the kernel was looking at: the outer one where the packet died in a
/// tunnel's packet.
struct DropFacts {
  std::uint32_t netns = 0;
  std::uint32_t device = 0;  ///< index of the skb's device; 0: none
  std::string function;      ///< that dropped it, without what the compiler appends
  std::string reason;        ///< empty: the kernel has none, or gives none
  /// The hook function of netfilter that decided, in the same form; empty: none, or not known.
  std::string decided_by;
  bool has_reasons = false;  ///< the kernel has some (5.17 and later)
  /// The function by which rules of nftables dropped it, where no record says which rule; empty:
  /// none did, or a record says it.
  std::string ran_rules;
  std::uint8_t hook = 0;    ///< NF_INET_* or NF_BR_*, where .ran_rules is set
  bool listed = false;      ///< freed as one of a list, as queues do; told without a reason only
  std::uint8_t family = 0;  ///< 4 or 6
  std::uint8_t protocol = 0;
  Address source{}, destination{};
  std::uint16_t port = 0;  ///< of the destination; 0: none, or not known
  /// Of TCP and UDP, where a cause looks for the packet's connection; 0: none does, or not known.
  std::uint16_t source_port = 0;
  std::uint8_t ttl = 0;  ///< 0: not known
  std::uint8_t tcp_flags = 0;
  std::uint32_t length = 0;  ///< bytes from the IP header on
  std::uint32_t mark = 0;    ///< of the skb, by which a policy may choose its routing table
  bool other_host = false;   ///< the frame is to another MAC address than the device's
  /// DPT_TUNNEL_*, of the packet whose outer header this is.
  std::uint8_t tunnel = DPT_TUNNEL_NONE;
  std::uint32_t tunnel_id = 0;  ///< VNI
  Departed departed = Departed::kNo;
  /// Index of the device by which the request for a connection came that it answers; 0: it answers
  /// none, or that is not known.
  std::uint32_t asked_by = 0;
  // Of what departed only.
  std::uint32_t input = 0;  ///< index of the device by which it came in
  bool from_pod = false;    ///< its source is the private address of a pod of this node
  bool before_tc = false;   ///< it was seen where tc filters may still change it

  bool by(std::string_view name) const { return function == name; }

  friend auto operator<=>(const DropFacts& a, const DropFacts& b) {
    const auto tie = [](const DropFacts& f) {
      return std::tie(f.netns, f.device, f.function, f.reason, f.decided_by, f.ran_rules, f.hook,
                      f.has_reasons, f.listed, f.family, f.protocol, f.source, f.destination,
                      f.source_port, f.port, f.ttl, f.tcp_flags, f.length, f.mark, f.other_host,
                      f.tunnel, f.tunnel_id, f.departed, f.input, f.asked_by, f.from_pod,
                      f.before_tc);
    };
    if (tie(a) < tie(b)) return std::strong_ordering::less;
    return tie(b) < tie(a) ? std::strong_ordering::greater : std::strong_ordering::equal;
  }
  friend bool operator==(const DropFacts& a, const DropFacts& b) { return (a <=> b) == 0; }
};

/// True when a hook of netfilter dropped the packet: one of its functions decided.
bool is_by_hook(const DropFacts& drop);
/// True when a rule of iptables or nftables may have dropped the packet.
bool may_be_by_rule(const DropFacts& drop);
/// True when conntrack dropped the packet instead of keeping the entry of its connection.
bool is_by_confirm(const DropFacts& drop);

/// Adds what tells the packet's connection.
void add_ends(DropFacts& facts, const dpt_drop& drop);
/// Takes that away again where no cause asks for it, so that a flood of connections is one
/// question.
void leave_out_ends(DropFacts& facts);

/// `names` must know the addresses and the reason of the record.
DropFacts drop_facts(const dpt_drop& drop, const Names& names);

}  // namespace dptrace
