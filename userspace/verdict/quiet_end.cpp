#include "verdict/quiet_end.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

// A multicast packet of these protocols comes to these functions only where its group has been
// joined. For unicast, routing has already decided that the packet is for this netns.
constexpr auto kHandlers = std::to_array<std::string_view>(
    {"icmpv6_rcv", "mld_query_work", "mld_report_work", "igmp_rcv"});

// A packet that tc redirects to a device that is gone ends in one of these functions.
constexpr auto kClassifiers = std::to_array<std::string_view>(
    {"__netif_receive_skb_core", "sch_handle_ingress", "sch_handle_egress", "__dev_queue_xmit"});

bool is_one_of(std::span<const std::string_view> names, std::string_view function) {
  return std::find(names.begin(), names.end(), source_name(function)) != names.end();
}

}  // namespace

QuietEnd quiet_end_of(std::string_view function) {
  if (is_one_of(kHandlers, function)) return QuietEnd::kTaken;
  if (is_one_of(kClassifiers, function)) return QuietEnd::kDiscarded;
  return QuietEnd::kUnknown;
}

}  // namespace dptrace
