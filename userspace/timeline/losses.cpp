#include "timeline/losses.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace dptrace {

namespace {

// Empty: any. A reason of kUnspecified also stands for kernels without reasons.
struct Harmless {
  std::string_view function;
  std::string_view reason;
  std::uint8_t protocol;  // 0: any
  End end = End::kNothing;
};

constexpr std::string_view kUnspecified = "NOT_SPECIFIED";

constexpr std::array<Harmless, 19> kHarmless = {{
    // The skbs of a reassembled packet go with the first of them.
    {"skb_release_data", "", 0},
    // Whatever was still queued when a socket was closed.
    {"skb_queue_purge", "", 0},
    {"skb_queue_purge_reason", "", 0},
    {"udp_destruct_common", "", 0},
    {"udp_destruct_sock", "", 0},
    {"inet_sock_destruct", "", 0},
    {"tcp_disconnect", "", 0},
    {"", "QUEUE_PURGE", 0},
    {"", "CONSUMED", 0},
    // Until 6.1 this is how every ICMPv6 message that was understood ends.
    {"icmpv6_rcv", kUnspecified, IPPROTO_ICMPV6, End::kTaken},
    // The end of a normal close.
    {"tcp_rcv_state_process", kUnspecified, IPPROTO_TCP, End::kTaken},
    {"tcp_time_wait", kUnspecified, IPPROTO_TCP, End::kTaken},
    // Keepalive probes repeat a byte on purpose.
    {"", "TCP_OLD_SEQUENCE", IPPROTO_TCP},
    {"", "TCP_INVALID_SEQUENCE", IPPROTO_TCP},
    // So do retransmissions of what has arrived after all.
    {"", "TCP_OLD_DATA", IPPROTO_TCP, End::kTaken},
    {"", "TCP_OFOMERGE", IPPROTO_TCP, End::kTaken},
    {"", "TCP_OLD_ACK", IPPROTO_TCP, End::kTaken},
    {"", "TCP_RFC7323_PAWS_ACK", IPPROTO_TCP, End::kTaken},
    // A bridge floods to ports whose hosts are not meant.
    {"", "OTHERHOST", 0},
}};

bool is_multicast(const dpt_flow& flow) {
  const auto& bytes = flow.destination.bytes;
  return flow.family == 4 ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

}  // namespace

End end_of(const Drop& drop, const dpt_flow& flow, const Names& names) {
  const std::string function = names.function(drop.location);
  std::string_view reason = kUnspecified;
  if (drop.reason) {
    const auto found = names.reasons.find(*drop.reason);
    reason = found == names.reasons.end() ? std::string_view("unknown") : found->second;
  }
  const auto rule = std::find_if(kHarmless.begin(), kHarmless.end(), [&](const Harmless& harmless) {
    return (harmless.function.empty() || harmless.function == function) &&
           (harmless.reason.empty() || harmless.reason == reason) &&
           (harmless.protocol == 0 || harmless.protocol == flow.protocol);
  });
  if (rule != kHarmless.end()) return rule->end;
  return is_multicast(flow) ? End::kNothing : End::kLoss;
}

}  // namespace dptrace
