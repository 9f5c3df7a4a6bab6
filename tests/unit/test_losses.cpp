#include <linux/if_packet.h>

#include <catch2/catch.hpp>

#include "drops/kind_end.hpp"
#include "support/sample_packets.hpp"
#include "verdict/losses.hpp"

using namespace dptrace;

namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58, kSctp = 132;
constexpr std::uint64_t kLocation = 0xffffffff81000010, kHelper = 0xffffffff82000010;
constexpr std::uint32_t kReason = 77;

// What a kernel frees, and how both see it: the trace by a record, the watch by its kind.
struct Case {
  std::string function = "udp_rcv";
  std::string reason = "NOT_SPECIFIED";
  std::uint8_t protocol = kUdp;
  std::uint8_t icmp_type = 0;
  dpt_segment segment = DPT_SEGMENT_UNKNOWN;
  std::uint8_t packet_type = PACKET_HOST;
  bool multicast = false;
  bool flooded = false;
  bool kernel_has_reasons = true;
  std::string helper{};  // that freed it for the function
  std::string device_kind = "veth";
};

Names names_of(const Case& freed) {
  Names names;
  names.symbols[kLocation] = {freed.function, kLocation - 16};
  names.symbols[kHelper] = {freed.helper, kHelper - 16};
  names.reasons[kReason] = freed.reason;
  Interface device;
  device.id = sample::kCni0;
  device.kind = freed.device_kind;
  names.interfaces[device.id] = device;
  return names;
}

dpt_flow flow_of(const Case& freed) {
  dpt_flow flow = sample::flow("10.244.1.2", freed.multicast ? "239.1.1.1" : "10.244.1.3", 0);
  if (freed.protocol == kIcmpv6)
    flow = sample::flow("fd00::2", freed.multicast ? "ff02::fb" : "fd00::3", 0);
  flow.protocol = freed.protocol;
  flow.l4.icmp.type = freed.icmp_type;
  if (freed.protocol != kTcp) return flow;
  constexpr std::uint8_t kFin = 1, kSyn = 2, kRst = 4, kAck = 16;
  flow.headers = 52;
  flow.length = 52;
  switch (freed.segment) {
    case DPT_SEGMENT_SYN:
      flow.tcp_flags = kSyn;
      break;
    case DPT_SEGMENT_SYN_ACK:
      flow.tcp_flags = kSyn | kAck;
      break;
    case DPT_SEGMENT_RST:
      flow.tcp_flags = kRst | kAck;
      break;
    case DPT_SEGMENT_EMPTY:
      flow.tcp_flags = kFin | kAck;
      break;
    case DPT_SEGMENT_DATA:
      flow.tcp_flags = kAck;
      flow.length = 53;
      break;
    case DPT_SEGMENT_UNKNOWN:
      flow.tcp_flags = kAck;
      flow.headers = 0;
      break;
  }
  return flow;
}

Freed by_watch(const Case& freed) {
  const dpt_flow flow = flow_of(freed);
  DropKind kind;
  if (freed.kernel_has_reasons) kind.reason = kReason;
  kind.location = kLocation;  // helpers are passed over in the kernel
  kind.interface = sample::kCni0;
  kind.family = flow.family;
  kind.protocol = freed.protocol;
  kind.icmp_type = freed.icmp_type;
  kind.segment = static_cast<dpt_segment>(dpt_segment_of(&flow));
  kind.packet_type = freed.packet_type;
  kind.multicast = freed.multicast;
  kind.flooded = freed.flooded;
  return freed_of(kind, names_of(freed));
}

Freed by_trace(const Case& freed) {
  Drop drop;
  if (freed.kernel_has_reasons) drop.reason = kReason;
  drop.location = freed.helper.empty() ? kLocation : kHelper;
  drop.stack = {1, drop.location, kLocation, 2};
  dpt_hop hop{};
  hop.netns = sample::kCni0.netns;
  hop.ifindex = sample::kCni0.index;
  hop.packet_type = freed.packet_type;
  hop.flags = freed.flooded ? DPT_HOP_FLOODED : 0;
  hop.flow = flow_of(freed);
  return freed_of(drop, hop, names_of(freed));
}

/// To the drop-watch, which sees nothing else of the packet.
End watched(const Case& freed) { return end_of(by_watch(freed)); }
/// To a trace, which follows it.
End traced(const Case& freed) { return end_of(by_trace(freed)); }

/// Both, who agree.
End judged(const Case& freed) {
  const Freed watch = by_watch(freed), trace = by_trace(freed);
  CHECK(watch.function == trace.function);
  CHECK(watch.reason == trace.reason);
  CHECK(watch.has_reason == trace.has_reason);
  CHECK(watch.family == trace.family);
  CHECK(watch.protocol == trace.protocol);
  CHECK(watch.segment == trace.segment);
  CHECK(watch.packet_type == trace.packet_type);
  CHECK(watch.multicast == trace.multicast);
  CHECK(watch.flooded == trace.flooded);
  CHECK(end_of(watch) == end_of(trace));
  return end_of(watch);
}

}  // namespace

TEST_CASE("what no rule knows is a loss") {
  CHECK(judged({}) == End::kLoss);
  CHECK(judged({.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kUdp}) == End::kLoss);
}

TEST_CASE("frees that are no loss, whoever sees them") {
  const auto [freed, end] = GENERATE(table<Case, End>({
      // the parts of a reassembled packet; before 6.1 by a helper
      {{.function = "skb_release_data"}, End::kCopy},
      {{.function = "skb_release_data", .helper = "kfree_skb_list"}, End::kCopy},
      // no packet at all
      {{.function = "napi_get_frags_check", .protocol = 0}, End::kCopy},
      // its reader has it
      {{.function = "sctp_recvmsg", .protocol = kSctp}, End::kTaken},
      {{.function = "sctp_queue_purge_ulpevents", .protocol = kSctp}, End::kClosed},
      {{.function = "sk_psock_backlog", .protocol = kTcp}, End::kTaken},
      {{.reason = "CONSUMED"}, End::kCopy},
      // ICMPv6 that was understood
      {{.function = "icmpv6_rcv", .protocol = kIcmpv6, .icmp_type = 135}, End::kTaken},
      // a normal close
      {{.function = "tcp_rcv_state_process", .protocol = kTcp}, End::kTaken},
      {{.function = "tcp_time_wait", .protocol = kTcp}, End::kTaken},
      // keepalive probes
      {{.reason = "TCP_OLD_SEQUENCE", .protocol = kTcp}, End::kCopy},
      {{.reason = "TCP_INVALID_SEQUENCE", .protocol = kTcp}, End::kCopy},
      // repeated data
      {{.reason = "TCP_OLD_DATA", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_OFOMERGE", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_OLD_ACK", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_RFC7323_PAWS_ACK", .protocol = kTcp}, End::kTaken},
      // the copy of a sniffer that is too slow, or has gone
      {{.function = "packet_rcv"}, End::kCopy},
      {{.function = "packet_rcv_fanout"}, End::kCopy},
      {{.function = "tpacket_rcv"}, End::kCopy},
      {{.function = "packet_release", .reason = "QUEUE_PURGE", .helper = "skb_queue_purge_reason"},
       End::kCopy},
  }));
  CAPTURE(freed.function, freed.reason);
  CHECK(judged(freed) == end);
}

TEST_CASE("what was queued when its socket was closed is not lost") {
  const auto function = GENERATE("udp_destruct_common", "udp_destruct_sock", "inet_sock_destruct",
                                 "sk_stream_kill_queues", "tcp_disconnect", "tcp_v4_destroy_sock");
  const auto helper = GENERATE("", "skb_queue_purge", "skb_queue_purge_reason", "skb_rbtree_purge");
  CAPTURE(function, helper);
  CHECK(judged({.function = function, .reason = "QUEUE_PURGE", .helper = helper}) == End::kClosed);
  CHECK(judged({.function = function, .kernel_has_reasons = false, .helper = helper}) ==
        End::kClosed);
}

TEST_CASE("what was queued elsewhere when the queue was purged is lost") {
  const auto function =
      GENERATE("neigh_destroy", "neigh_flush_dev", "neigh_timer_handler", "pneigh_queue_purge",
               "wg_packet_purge_staged_packets", "tun_queue_purge", "xfrm_policy_kill",
               "dev_deactivate_queue", "qdisc_reset", "pfifo_fast_reset", "br_multicast_flood", "");
  const auto helper = GENERATE("", "skb_queue_purge", "skb_queue_purge_reason",
                               "__skb_queue_purge.isra.0", "kfree_skb_list", "rtnl_kfree_skbs");
  CAPTURE(function, helper);
  CHECK(judged({.function = function, .reason = "QUEUE_PURGE", .helper = helper}) == End::kLoss);
  CHECK(judged({.function = function, .kernel_has_reasons = false, .helper = helper}) ==
        End::kLoss);
}

TEST_CASE("the caller of a helper that is not in the stack is not guessed") {
  Drop drop;
  drop.location = kHelper;
  drop.stack = {kLocation};
  const auto names = names_of({.function = "inet_sock_destruct", .helper = "skb_queue_purge"});
  CHECK(end_of(drop, {}, names) == End::kLoss);
}

TEST_CASE("an echo reply without a ping socket is a loss only to those who know of its copies") {
  const auto freed = GENERATE(values<Case>({
      {.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 0},
      {.function = "icmp_rcv", .protocol = kIcmp, .kernel_has_reasons = false},
      {.function = "ping_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 0},
      {.function = "ping_rcv", .protocol = kIcmp, .kernel_has_reasons = false},
      {.function = "icmpv6_rcv", .reason = "NO_SOCKET", .protocol = kIcmpv6, .icmp_type = 129},
      {.function = "ping_rcv", .reason = "NO_SOCKET", .protocol = kIcmpv6, .icmp_type = 129},
      {.function = "ping_rcv", .protocol = kIcmpv6, .icmp_type = 129, .kernel_has_reasons = false},
  }));
  CAPTURE(freed.function, freed.reason);
  CHECK(watched(freed) == End::kTaken);
  CHECK(traced(freed) == End::kLoss);
  Freed without_sockets = by_trace(freed);
  without_sockets.sockets_seen = false;
  CHECK(end_of(without_sockets) == End::kCopy);
}

TEST_CASE("an echo request without a ping socket is a loss") {
  CHECK(
      judged({.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 8}) ==
      End::kLoss);
}

TEST_CASE("what TIME_WAIT takes is no loss, as far as it can be told") {
  for (const char* function : {"tcp_v4_rcv", "tcp_v6_rcv"}) {
    const Case with_reasons{.function = function, .protocol = kTcp};
    CHECK(watched(with_reasons) == End::kTaken);
    CHECK(traced(with_reasons) == End::kLoss);
    CHECK(watched({.function = function, .protocol = kTcp, .kernel_has_reasons = false}) ==
          End::kLoss);
  }
}

TEST_CASE("a segment without data that meets no connection loses nothing") {
  const auto segment = GENERATE(DPT_SEGMENT_EMPTY, DPT_SEGMENT_RST);
  const auto freed = GENERATE(values<Case>({
      {.function = "tcp_v4_rcv", .reason = "NO_SOCKET"},
      {.function = "tcp_v6_rcv", .reason = "NO_SOCKET"},
      {.function = "tcp_v4_do_rcv", .reason = "TCP_FLAGS"},
      {.function = "tcp_v6_do_rcv", .reason = "TCP_FLAGS"},
      {.function = "tcp_v4_do_rcv", .reason = "TCP_INVALID_ACK_SEQUENCE"},
      {.function = "tcp_v4_do_rcv"},
      {.function = "tcp_v4_rcv", .kernel_has_reasons = false},
      {.function = "tcp_v6_rcv", .kernel_has_reasons = false},
      {.function = "tcp_v4_do_rcv", .kernel_has_reasons = false},
      {.function = "tcp_v6_do_rcv", .kernel_has_reasons = false},
  }));
  Case empty = freed;
  empty.protocol = kTcp;
  empty.segment = segment;
  CAPTURE(freed.function, freed.reason, segment);
  CHECK(watched(empty) == End::kClosed);
  // Who follows the packet asks whether there was a connection.
  CHECK(traced(empty) == End::kLoss);
}

TEST_CASE("a request for a connection, and data, are lost where no socket takes them") {
  const auto segment = GENERATE(DPT_SEGMENT_SYN, DPT_SEGMENT_DATA, DPT_SEGMENT_UNKNOWN);
  for (const char* reason : {"NO_SOCKET", "TCP_FLAGS", "TCP_INVALID_ACK_SEQUENCE"}) {
    CHECK(judged(
              {.function = "tcp_v4_rcv", .reason = reason, .protocol = kTcp, .segment = segment}) ==
          End::kLoss);
  }
  CHECK(judged({.function = "tcp_v4_rcv",
                .protocol = kTcp,
                .segment = segment,
                .kernel_has_reasons = false}) == End::kLoss);
}

TEST_CASE("what an application discards by closing is no loss") {
  const auto segment = GENERATE(DPT_SEGMENT_EMPTY, DPT_SEGMENT_DATA, DPT_SEGMENT_UNKNOWN);
  for (const char* reason : {"TCP_CLOSE", "TCP_ABORT_ON_DATA"}) {
    CHECK(judged({.function = "tcp_v4_do_rcv",
                  .reason = reason,
                  .protocol = kTcp,
                  .segment = segment}) == End::kClosed);
  }
  // Until 6.1 there is no reason.
  CHECK(watched({.function = "tcp_v4_do_rcv", .protocol = kTcp, .segment = segment}) ==
        End::kClosed);
  CHECK(watched({.function = "tcp_v4_do_rcv", .protocol = kTcp, .segment = DPT_SEGMENT_SYN}) ==
        End::kLoss);
}

TEST_CASE("what was under way to a connection that its receiver has closed is no loss") {
  const auto segment = GENERATE(DPT_SEGMENT_SYN_ACK, DPT_SEGMENT_DATA, DPT_SEGMENT_UNKNOWN);
  for (const char* function : {"tcp_v4_rcv", "tcp_v6_rcv"}) {
    for (const bool has_reasons : {true, false}) {
      const Case late{.function = function,
                      .reason = has_reasons ? "NO_SOCKET" : "NOT_SPECIFIED",
                      .protocol = kTcp,
                      .segment = segment,
                      .kernel_has_reasons = has_reasons};
      Freed freed = by_trace(late);
      freed.over = true;
      CHECK(end_of(freed) == End::kClosed);
      freed.segment = DPT_SEGMENT_SYN;
      CHECK(end_of(freed) == End::kLoss);
      freed.segment = segment;
      freed.reason = "NETFILTER_DROP";
      CHECK(end_of(freed) == End::kLoss);
    }
  }
}

TEST_CASE("a SYN that a half-open connection has answered again is no loss") {
  Freed freed = by_trace(
      {.function = GENERATE(as<std::string>{}, "tcp_v4_rcv", "tcp_v6_rcv", "tcp_v4_do_rcv"),
       .protocol = kTcp,
       .segment = DPT_SEGMENT_SYN,
       .kernel_has_reasons = false});
  CHECK(end_of(freed) == End::kLoss);
  freed.half_open = true;
  CHECK(end_of(freed) == End::kTaken);
  freed.function = "nf_hook_slow";
  CHECK(end_of(freed) == End::kLoss);
}

TEST_CASE("what a connection understood but had no use for is no loss") {
  CHECK(judged({.function = "tcp_validate_incoming",
                .reason = "TCP_RESET",
                .protocol = kTcp,
                .segment = DPT_SEGMENT_RST}) == End::kTaken);
  const auto syn = [](dpt_segment segment) {
    return Case{.function = "tcp_validate_incoming",
                .reason = "TCP_INVALID_SYN",
                .protocol = kTcp,
                .segment = segment};
  };
  CHECK(judged(syn(DPT_SEGMENT_SYN_ACK)) == End::kTaken);
  CHECK(judged(syn(DPT_SEGMENT_SYN)) == End::kLoss);
  for (const char* reason : {"TCP_RFC7323_PAWS", "TCP_TOO_OLD_ACK", "TCP_ACK_UNSENT_DATA"}) {
    Case freed{.function = "tcp_rcv_established", .reason = reason, .protocol = kTcp};
    freed.segment = DPT_SEGMENT_EMPTY;
    CHECK(judged(freed) == End::kTaken);
    freed.segment = DPT_SEGMENT_DATA;
    CHECK(judged(freed) == End::kLoss);
  }
}

TEST_CASE("what is sent to many and wanted by none is no loss") {
  const auto freed = GENERATE(values<Case>({
      {.multicast = true},
      {.packet_type = PACKET_MULTICAST},
      {.packet_type = PACKET_BROADCAST},
      {.packet_type = PACKET_BROADCAST, .kernel_has_reasons = false},
      {.function = "ip_mr_input", .multicast = true},
      {.function = "udp_rcv", .reason = "NO_SOCKET", .packet_type = PACKET_BROADCAST},
      {.function = "icmpv6_rcv",
       .reason = "NO_SOCKET",
       .protocol = kIcmpv6,
       .icmp_type = 143,
       .packet_type = PACKET_MULTICAST,
       .multicast = true},
  }));
  CAPTURE(freed.function, freed.reason);
  CHECK(judged(freed) == End::kUnwanted);
  Case own = freed;
  own.packet_type = PACKET_LOOPBACK;
  CHECK(judged(own) == End::kCopy);
}

TEST_CASE("multicast that somebody was meant to get is a loss") {
  const auto type = GENERATE(PACKET_MULTICAST, PACKET_BROADCAST, PACKET_LOOPBACK);
  for (const char* reason :
       {"NETFILTER_DROP", "QDISC_DROP", "SOCKET_RCVBUFF", "CPU_BACKLOG", "QUEUE_PURGE"}) {
    CHECK(judged({.function = "nft_do_chain",
                  .reason = reason,
                  .packet_type = static_cast<std::uint8_t>(type),
                  .multicast = true}) == End::kLoss);
  }
  for (const char* function : {"nf_hook_slow", "__dev_queue_xmit", "udp_queue_rcv_one_skb",
                               "neigh_invalidate", "enqueue_to_backlog"}) {
    CHECK(judged({.function = function,
                  .packet_type = static_cast<std::uint8_t>(type),
                  .multicast = true,
                  .kernel_has_reasons = false}) == End::kLoss);
  }
}

TEST_CASE("a frame for another host is lost where none could have strayed") {
  const auto freed = GENERATE(values<Case>({
      {.function = "ip_rcv_core", .reason = "OTHERHOST"},
      {.function = "ip6_rcv_core", .reason = "OTHERHOST"},
      {.function = "ip_rcv_core.isra.0", .kernel_has_reasons = false},
      {.function = "ip6_rcv_core.constprop.0", .kernel_has_reasons = false},
      {.function = "__netif_receive_skb_core", .reason = "UNHANDLED_PROTO"},
  }));
  Case strayed = freed;
  strayed.packet_type = PACKET_OTHERHOST;
  CAPTURE(freed.function);
  for (const char* alone : {"veth", "vxlan", "geneve", "ipip", "wireguard", "bridge"}) {
    strayed.device_kind = alone;
    strayed.flooded = false;
    CHECK(judged(strayed) == End::kLoss);
    strayed.flooded = true;
    CHECK(judged(strayed) == End::kUnwanted);
  }
  for (const char* shared : {"device", "vlan", "bond"}) {
    strayed.device_kind = shared;
    strayed.flooded = false;
    CHECK(judged(strayed) == End::kUnwanted);
  }
}

TEST_CASE("a bridge's frame for another host that was dropped on its way is a loss") {
  CHECK(judged({.function = "nft_do_chain",
                .reason = "NETFILTER_DROP",
                .packet_type = PACKET_OTHERHOST,
                .flooded = true}) == End::kLoss);
  CHECK(judged({.function = "__netif_receive_skb_core",
                .packet_type = PACKET_OTHERHOST,
                .flooded = true,
                .kernel_has_reasons = false}) == End::kLoss);
}

TEST_CASE("skbs of netlink and unix sockets are no packets") {
  DropKind kind;
  kind.location = kLocation;
  CHECK(end_of(kind, names_of({.function = "unix_release_sock"})) == End::kCopy);
  kind.ethertype = 0x0806;
  CHECK(end_of(kind, names_of({.function = "arp_rcv"})) == End::kLoss);
}

TEST_CASE("what the compiler appends to a function's name does not matter") {
  CHECK(judged({.function = "tcp_time_wait.isra.0", .protocol = kTcp}) == End::kTaken);
}
