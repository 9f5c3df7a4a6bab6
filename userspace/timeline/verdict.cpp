#include "timeline/verdict.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace dptrace {

namespace {

// What such a device is given leaves the node, or goes to a process or a virtual machine.
constexpr std::array<std::string_view, 6> kLeavingKinds = {"device", "tun",       "macvtap",
                                                           "ipvtap", "virt_wifi", "wwan"};

bool is_transmit(const Hop& hop) {
  return hop.point == DPT_POINT_TC_EGRESS || hop.point == DPT_POINT_DEVICE_TRANSMIT;
}

bool leaves_node(const Hop& hop, const Names& names) {
  const Interface* interface = names.interface(hop.interface);
  return is_transmit(hop) && interface != nullptr &&
         std::find(kLeavingKinds.begin(), kLeavingKinds.end(), interface->kind) !=
             kLeavingKinds.end();
}

// A socket took the skb and its protocol did not throw it away afterwards (a full receive buffer
// does).
bool is_delivery(const Hop& hop, const Live& live) {
  return hop.point == DPT_POINT_SOCKET &&
         std::none_of(live.drops.begin(), live.drops.end(), [&](const LiveDrop& dropped) {
           return dropped.drop.loss && dropped.skb == hop.skb &&
                  dropped.drop.time_ns >= hop.time_ns;
         });
}

}  // namespace

Judgement judge(const Live& live, const Names& names) {
  const auto& hops = live.packet.hops;
  // A copy that reached a socket counts more than other copies that went nowhere: a bridge's
  // flooding, the original whose clone a raw socket took (every ping).
  if (std::any_of(hops.begin(), hops.end(),
                  [&](const Hop& hop) { return is_delivery(hop, live); })) {
    return {Verdict::kDelivered};
  }
  const LiveDrop* last_loss = nullptr;
  for (const auto& dropped : live.drops) {
    if (dropped.drop.loss) last_loss = &dropped;
  }
  if (last_loss != nullptr) return {Verdict::kDropped, &last_loss->drop};
  if (live.packet.merged_into != 0) return {Verdict::kStolen};
  if (!live.drops.empty()) return {Verdict::kDelivered};  // a protocol was done with it
  if (leaves_node(hops.back(), names)) return {Verdict::kLeftNode};
  if (hops.back().netfilter && hops.back().netfilter->result == 0) return {Verdict::kStolen};
  return {Verdict::kUnfinished};
}

}  // namespace dptrace
