#include <catch2/catch.hpp>

#include "model/losses.hpp"
#include "support/sample_packets.hpp"

using namespace dptrace;

namespace {

constexpr std::uint8_t kIcmp = 1, kTcp = 6, kUdp = 17, kIcmpv6 = 58;
constexpr std::uint64_t kLocation = 0xffffffff81000010;
constexpr std::uint32_t kReason = 77;

struct Freed {
  std::string function = "udp_rcv";
  std::string reason = "NOT_SPECIFIED";
  std::uint8_t protocol = kUdp;
  std::uint8_t icmp_type = 0;
  bool multicast = false;
  bool other_host = false;
  bool tcp_fin = false;
  bool kernel_has_reasons = true;
};

Names names_of(const Freed& freed) {
  Names names;
  names.symbols[kLocation] = {freed.function, kLocation - 16};
  names.reasons[kReason] = freed.reason;
  return names;
}

/// To the drop-watch.
End end_of_kind(const Freed& freed) {
  DropKind kind;
  if (freed.kernel_has_reasons) kind.reason = kReason;
  kind.location = kLocation;
  kind.interface = sample::kCni0;
  kind.family = freed.protocol == kIcmpv6 ? 6 : 4;
  kind.protocol = freed.protocol;
  kind.icmp_type = freed.icmp_type;
  kind.multicast = freed.multicast;
  kind.other_host = freed.other_host;
  kind.tcp_fin = freed.tcp_fin;
  return end_of(kind, names_of(freed));
}

/// To a trace, which follows the packet.
End end_of_packet(const Freed& freed) {
  Drop drop;
  if (freed.kernel_has_reasons) drop.reason = kReason;
  drop.location = kLocation;
  dpt_flow flow = sample::flow("10.244.1.2", freed.multicast ? "239.1.1.1" : "10.244.1.3", 0);
  flow.protocol = freed.protocol;
  flow.l4.icmp.type = freed.icmp_type;
  return end_of(drop, flow, names_of(freed));
}

}  // namespace

TEST_CASE("what no rule knows is a loss") {
  CHECK(end_of_kind({}) == End::kLoss);
  CHECK(end_of_packet({}) == End::kLoss);
  CHECK(end_of_kind({.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kUdp}) ==
        End::kLoss);
}

TEST_CASE("frees that are no loss, whoever sees them") {
  const auto [freed, end] = GENERATE(table<Freed, End>({
      // the parts of a reassembled packet
      {{.function = "skb_release_data"}, End::kNothing},
      // queues of sockets that are closed
      {{.function = "skb_queue_purge"}, End::kNothing},
      {{.function = "skb_queue_purge_reason", .reason = "QUEUE_PURGE"}, End::kNothing},
      {{.function = "udp_destruct_common"}, End::kNothing},
      {{.function = "udp_destruct_sock"}, End::kNothing},
      {{.function = "inet_sock_destruct"}, End::kNothing},
      {{.function = "sk_stream_kill_queues", .protocol = kTcp}, End::kNothing},
      {{.function = "tcp_disconnect", .protocol = kTcp}, End::kNothing},
      {{.reason = "QUEUE_PURGE"}, End::kNothing},
      {{.reason = "CONSUMED"}, End::kNothing},
      // ICMPv6 that was understood
      {{.function = "icmpv6_rcv", .protocol = kIcmpv6, .icmp_type = 135}, End::kTaken},
      // a normal close
      {{.function = "tcp_rcv_state_process", .protocol = kTcp}, End::kTaken},
      {{.function = "tcp_time_wait", .protocol = kTcp}, End::kTaken},
      // keepalive probes
      {{.reason = "TCP_OLD_SEQUENCE", .protocol = kTcp}, End::kNothing},
      {{.reason = "TCP_INVALID_SEQUENCE", .protocol = kTcp}, End::kNothing},
      // repeated data
      {{.reason = "TCP_OLD_DATA", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_OFOMERGE", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_OLD_ACK", .protocol = kTcp}, End::kTaken},
      {{.reason = "TCP_RFC7323_PAWS_ACK", .protocol = kTcp}, End::kTaken},
      // flooded by a bridge
      {{.function = "ip_rcv_core", .reason = "OTHERHOST"}, End::kNothing},
      // the copy of a sniffer that is too slow
      {{.function = "packet_rcv"}, End::kNothing},
      {{.function = "packet_rcv_fanout"}, End::kNothing},
      {{.function = "tpacket_rcv"}, End::kNothing},
      // multicast that nobody listens to
      {{.function = "ip_mr_input", .multicast = true}, End::kNothing},
      {{.function = "icmpv6_rcv", .reason = "NO_SOCKET", .protocol = kUdp, .multicast = true},
       End::kNothing},
  }));
  CAPTURE(freed.function, freed.reason);
  CHECK(end_of_kind(freed) == end);
  CHECK(end_of_packet(freed) == end);
}

TEST_CASE("an echo reply without a ping socket is a loss only to those who know of its copies") {
  const auto freed = GENERATE(values<Freed>({
      {.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 0},
      {.function = "icmp_rcv", .protocol = kIcmp, .kernel_has_reasons = false},
      {.function = "ping_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 0},
      {.function = "ping_rcv", .protocol = kIcmp, .kernel_has_reasons = false},
      {.function = "icmpv6_rcv", .reason = "NO_SOCKET", .protocol = kIcmpv6, .icmp_type = 129},
      {.function = "ping_rcv", .reason = "NO_SOCKET", .protocol = kIcmpv6, .icmp_type = 129},
  }));
  CAPTURE(freed.function, freed.reason);
  CHECK(end_of_kind(freed) == End::kTaken);
  CHECK(end_of_packet(freed) == End::kLoss);
}

TEST_CASE("an echo request without a ping socket is a loss") {
  CHECK(end_of_kind(
            {.function = "icmp_rcv", .reason = "NO_SOCKET", .protocol = kIcmp, .icmp_type = 8}) ==
        End::kLoss);
}

TEST_CASE("what TIME_WAIT takes is no loss, as far as it can be told") {
  for (const char* function : {"tcp_v4_rcv", "tcp_v6_rcv"}) {
    CHECK(end_of_kind({.function = function, .protocol = kTcp}) == End::kTaken);
    CHECK(end_of_packet({.function = function, .protocol = kTcp}) == End::kLoss);
    CHECK(end_of_kind({.function = function, .reason = "NO_SOCKET", .protocol = kTcp}) ==
          End::kLoss);
    CHECK(end_of_kind({.function = function, .protocol = kTcp, .kernel_has_reasons = false}) ==
          End::kLoss);
    CHECK(end_of_kind({.function = function,
                       .protocol = kTcp,
                       .tcp_fin = true,
                       .kernel_has_reasons = false}) == End::kTaken);
  }
}

TEST_CASE("multicast that somebody was meant to get is a loss") {
  for (const char* reason : {"NETFILTER_DROP", "QDISC_DROP", "SOCKET_RCVBUFF", "CPU_BACKLOG"}) {
    const Freed freed{.function = "nft_do_chain", .reason = reason, .multicast = true};
    CHECK(end_of_kind(freed) == End::kLoss);
    CHECK(end_of_packet(freed) == End::kLoss);
  }
}

TEST_CASE("without reasons the frame tells that it was for another host") {
  CHECK(end_of_kind({.function = "ip_rcv_core", .other_host = true, .kernel_has_reasons = false}) ==
        End::kNothing);
  CHECK(end_of_kind({.function = "nft_do_chain", .reason = "NETFILTER_DROP", .other_host = true}) ==
        End::kLoss);
}

TEST_CASE("skbs of netlink and unix sockets are no packets") {
  DropKind kind;
  kind.location = kLocation;
  CHECK(end_of(kind, names_of({.function = "unix_release_sock"})) == End::kNothing);
  kind.ethertype = 0x0806;
  CHECK(end_of(kind, names_of({.function = "arp_rcv"})) == End::kLoss);
}

TEST_CASE("what the compiler appends to a function's name does not matter") {
  CHECK(end_of_kind({.function = "tcp_time_wait.isra.0", .protocol = kTcp}) == End::kTaken);
}
