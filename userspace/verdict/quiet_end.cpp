#include "verdict/quiet_end.hpp"

#include <algorithm>
#include <array>
#include <span>

#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

// Multicast of these protocols gets here only where its group has been joined. Unicast is told by
// its route already.
constexpr auto kHandlers = std::to_array<std::string_view>(
    {"icmpv6_rcv", "mld_query_work", "mld_report_work", "igmp_rcv"});

// A redirection to a device that is gone ends here.
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
