#include <catch2/catch.hpp>
#include <vector>

#include "support/wire.hpp"
#include "timeline/timeline.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kPod = 100, kNode = 200, kOther = 300;
constexpr std::uint64_t kIcmpRcv = 0x1000, kIpError = 0x2000, kUdpQueue = 0x3000,
                        kReleaseData = 0x4000, kTcpRcv = 0x5000;
constexpr std::uint32_t kNoSocket = 3, kInAddrErrors = 9, kRcvBuf = 5, kPaws = 60;

Names some_names() {
  Names names;
  names.symbols = {{kIcmpRcv, {"icmp_rcv", kIcmpRcv - 4}},
                   {kIpError, {"ip_error", kIpError - 0x7e}},
                   {kUdpQueue, {"udp_queue_rcv_one_skb", kUdpQueue - 1}},
                   {kReleaseData, {"skb_release_data", kReleaseData - 1}},
                   {kTcpRcv, {"tcp_v4_rcv", kTcpRcv - 0x62}}};
  names.reasons = {{2, "NOT_SPECIFIED"},
                   {kNoSocket, "NO_SOCKET"},
                   {kInAddrErrors, "IP_INADDRERRORS"},
                   {kRcvBuf, "SOCKET_RCVBUFF"},
                   {kPaws, "TCP_RFC7323_PAWS"}};
  names.interfaces[{kNode, 2}] = {{kNode, 2}, "eth0", "device", Role::kUplink, 1500};
  names.interfaces[{kNode, 3}] = {{kNode, 3}, "veth1", "veth", Role::kPod, 1450};
  return names;
}

struct Bench {
  Names names = some_names();
  Timeline timeline{names, {.packets = 8}};
  std::vector<Packet> packets;

  void advance(std::uint64_t now) {
    timeline.advance(now, [this](Packet&& packet) { packets.push_back(std::move(packet)); });
  }
  void finish() {
    timeline.finish([this](Packet&& packet) { packets.push_back(std::move(packet)); });
  }
  // A datagram from the pod's eth0 through its veth.
  void send(std::uint64_t time, const dpt_flow& flow, std::uint64_t key, std::uint64_t skb) {
    timeline.add(hop({time, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, skb}, flow, key));
    timeline.add(hop({time + 2000, DPT_POINT_TC_INGRESS, kNode, 3, skb}, flow, key));
  }
};

std::vector<int> points(const Packet& packet) {
  std::vector<int> list;
  for (const auto& hop : packet.hops) list.push_back(hop.point);
  return list;
}

}  // namespace

TEST_CASE("the hops of one packet come together in time order, whatever the order of arrival") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.timeline.add(hop({3000, DPT_POINT_TC_INGRESS, kNode, 3}, flow, 7));
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2}, flow, 7));
  bench.timeline.add(hop({9000, DPT_POINT_SOCKET, kOther, 2}, flow, 7));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(points(bench.packets[0]) ==
        std::vector<int>{DPT_POINT_DEVICE_TRANSMIT, DPT_POINT_TC_INGRESS, DPT_POINT_SOCKET});
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
  CHECK(bench.packets[0].duration_ns() == 8000);
}

TEST_CASE("a recycled skb address never joins two packets") {
  Bench bench;
  SECTION("of different content") {
    bench.send(1000, echo_request(1), 7, 0xaaa);
    bench.send(20000, echo_request(2), 8, 0xaaa);
  }
  SECTION("of equal content") {
    bench.send(1000, udp(4000, 60), 7, 0xaaa);
    bench.send(20000, udp(4000, 60), 7, 0xaaa);
  }
  bench.finish();
  REQUIRE(bench.packets.size() == 2);
  CHECK(bench.packets[0].hops.size() == 2);
  CHECK(bench.packets[1].hops.size() == 2);
}

TEST_CASE("equal datagrams that are under way at once are told apart by their skbs") {
  Bench bench;
  const auto flow = udp(4000, 60);
  for (std::uint64_t i = 0; i < 3; ++i) {
    bench.timeline.add(
        hop({1000 + i, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00 + i * 256}, flow, 7));
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    bench.timeline.add(hop({2000 + i, DPT_POINT_TC_INGRESS, kNode, 3, 0xa00 + i * 256}, flow, 7));
  }
  bench.finish();
  REQUIRE(bench.packets.size() == 3);
  for (const auto& packet : bench.packets) {
    REQUIRE(packet.hops.size() == 2);
    CHECK(packet.hops[0].skb == packet.hops[1].skb);
  }
}

TEST_CASE("an answer that repeats the question is a packet of its own") {
  Bench bench;
  const auto question = udp(4000, 60);
  auto answer = question;
  std::swap(answer.source, answer.destination);
  std::swap(answer.l4.port.source, answer.l4.port.destination);
  bench.send(1000, question, 7, 0xaaa);
  bench.timeline.add(hop({5000, DPT_POINT_SOCKET, kOther, 2, 0xaaa}, question, 7));
  bench.timeline.add(hop({9000, DPT_POINT_DEVICE_TRANSMIT, kOther, 2, 0xaaa}, answer, 7));
  bench.finish();
  CHECK(bench.packets.size() == 2);
}

TEST_CASE("equal datagrams from two ports are two packets") {
  Bench bench;
  bench.send(1000, udp(4000, 60), 7, 0xaaa);
  bench.send(5000, udp(4001, 60), 7, 0xaaa);
  bench.finish();
  CHECK(bench.packets.size() == 2);
}

TEST_CASE("of the copies that raw sockets get, one is told") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(hop({5000, DPT_POINT_SOCKET, kOther, 2, 0xbbb}, echo_request(1), 7));
  bench.timeline.add(hop({5001, DPT_POINT_SOCKET, kOther, 2, 0xccc}, echo_request(1), 7));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].hops.size() == 3);
}

TEST_CASE("equal datagrams one after the other stay apart when each gets another skb on its way") {
  Bench bench;
  const auto flow = udp(4000, 60);
  for (std::uint64_t i = 0; i < 3; ++i) {
    bench.send(10000 * i, flow, 7, 0xaaa);
    // Not enough headroom for the tunnel: the same two addresses are used in turn.
    bench.timeline.add(hop({10000 * i + 4000, DPT_POINT_TC_EGRESS, kNode, 2, 0xbbb}, flow, 7));
    bench.timeline.add(hop({10000 * i + 6000, DPT_POINT_SOCKET, kOther, 2, 0xbbb}, flow, 7));
  }
  bench.finish();
  REQUIRE(bench.packets.size() == 3);
  for (const auto& packet : bench.packets) CHECK(packet.hops.size() == 4);
}

TEST_CASE("a packet keeps its identity when it gets another skb") {
  Bench bench;
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xaaa}, echo_request(1), 7));
  bench.timeline.add(hop({2000, DPT_POINT_TC_INGRESS, kNode, 3, 0xbbb}, echo_request(1), 7));
  bench.finish();
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].hops.size() == 2);
}

TEST_CASE("a packet that comes by again with a lower TTL is in a loop, not a new one") {
  Bench bench;
  auto flow = echo_request(1);
  bench.timeline.add(hop({1000, DPT_POINT_TC_INGRESS, kNode, 3}, flow, 7));
  flow.ttl = 63;
  bench.timeline.add(hop({2000, DPT_POINT_TC_INGRESS, kNode, 3}, flow, 7));
  bench.finish();
  CHECK(bench.packets.size() == 1);
}

TEST_CASE("a dropped packet tells reason, location and device") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(drop({5000, 0, kNode, 3, 0xaaa}, echo_request(1), 7, kIpError, kInAddrErrors));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  const auto& packet = bench.packets[0];
  CHECK(packet.verdict == Verdict::kDropped);
  REQUIRE(packet.drop);
  CHECK(packet.drop->reason == kInAddrErrors);
  CHECK(bench.names.location(packet.drop->location) == "ip_error+0x7e");
  CHECK(packet.drop->interface == InterfaceId{kNode, 3});
  CHECK(packet.hops.back().point == DPT_POINT_DROP);
}

TEST_CASE(
    "a ping whose clone the raw socket took is delivered, though its original is freed with "
    "NO_SOCKET") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(hop({5000, DPT_POINT_SOCKET, kOther, 2, 0xbbb}, echo_request(1), 7));
  bench.timeline.add(drop({6000, 0, kOther, 2, 0xaaa}, echo_request(1), 7, kIcmpRcv, kNoSocket));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
  CHECK_FALSE(bench.packets[0].drop);
}

TEST_CASE("a packet that its socket's full buffer threw away is dropped") {
  Bench bench;
  bench.send(1000, udp(4000, 60), 7, 0xaaa);
  bench.timeline.add(hop({5000, DPT_POINT_SOCKET, kOther, 2, 0xaaa}, udp(4000, 60), 7));
  bench.timeline.add(drop({6000, 0, kOther, 2, 0xaaa}, udp(4000, 60), 7, kUdpQueue, kRcvBuf));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kDropped);
  CHECK(bench.packets[0].drop->reason == kRcvBuf);
  CHECK(points(bench.packets[0]) ==
        std::vector<int>{DPT_POINT_DEVICE_TRANSMIT, DPT_POINT_TC_INGRESS, DPT_POINT_DROP});
}

TEST_CASE("the parts of a reassembled packet are no losses") {
  Bench bench;
  bench.timeline.add(drop({1000, 0, kNode, 3, 0xaaa}, udp(4000, 60), 7, kReleaseData, 2));
  bench.finish();
  CHECK(bench.packets.empty());
}

TEST_CASE("what a physical device was given has left the node") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(hop({4000, DPT_POINT_TC_EGRESS, kNode, 2, 0xaaa}, echo_request(1), 7));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kLeftNode);
}

TEST_CASE("a packet without an end is unfinished once it is old, not before") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.advance(9 * kSecond);
  CHECK(bench.packets.empty());
  bench.advance(11 * kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kUnfinished);
}

TEST_CASE("no more packets are followed than the limit allows, the oldest is told first") {
  Bench bench;
  for (std::uint64_t i = 0; i < 20; ++i)
    bench.send(1000 + i, echo_request(static_cast<std::uint16_t>(i)), 100 + i, 0xa000 + i);
  CHECK(bench.timeline.forgotten() == 12);
  bench.finish();
  CHECK(bench.packets.size() == 20);
  CHECK(bench.packets[0].flow().sequence == 0);
}

TEST_CASE("NAT shows as a new flow at the hop behind it") {
  Bench bench;
  bench.send(1000, udp(4000, 60), 7, 0xaaa);
  auto translated = udp(4000, 60);
  translated.destination = address("10.244.6.9");
  bench.timeline.add(hop({4000, DPT_POINT_TC_EGRESS, kNode, 2, 0xaaa}, translated, 7));
  bench.finish();
  REQUIRE(bench.packets.size() == 1);
  CHECK_FALSE(bench.packets[0].hops[1].new_flow);
  CHECK(bench.packets[0].hops[2].new_flow);
}

TEST_CASE("the segments of a GSO packet belong to it and are counted") {
  Bench bench;
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xaaa}, tcp(1000, 4000), 7));
  // Software segmentation: the first has the key of the whole, all have skbs of their own.
  bench.timeline.add(hop({2000, DPT_POINT_TC_EGRESS, kNode, 2, 0xb00}, tcp(1000, 1400), 7));
  bench.timeline.add(hop({2001, DPT_POINT_TC_EGRESS, kNode, 2, 0xc00}, tcp(2400, 1400), 8));
  bench.timeline.add(hop({2002, DPT_POINT_TC_EGRESS, kNode, 2, 0xd00}, tcp(3800, 1200), 9));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].segments == 3);
  CHECK(bench.packets[0].hops.size() == 2);
}

TEST_CASE("what GRO merged into another packet is told so") {
  Bench bench;
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00}, tcp(1000, 1400), 7));
  // 12 of the bytes behind the header are the time stamps option.
  bench.timeline.add(hop({1001, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xb00}, tcp(2388, 1400), 8));
  bench.timeline.add(hop({2000, DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xa00}, tcp(1000, 2788), 7));
  bench.timeline.add(hop({3000, DPT_POINT_SOCKET, kOther, 2, 0xa00}, tcp(1000, 2788), 7));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 2);
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
  CHECK(bench.packets[1].verdict == Verdict::kStolen);
  CHECK(bench.packets[1].merged_into == bench.packets[0].id);
}

TEST_CASE("the fragments of a datagram and the whole are one packet") {
  Bench bench;
  auto first = udp(4000, 1500), later = udp(0, 600), whole = udp(4000, 2080);
  first.ip_id = later.ip_id = whole.ip_id = 77;
  first.fragment = 0x2000;
  later.fragment = 185;
  later.l4.port = {0, 0};
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00}, first, 7));
  bench.timeline.add(hop({1001, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xb00}, later, 8));
  bench.timeline.add(hop({3000, DPT_POINT_SOCKET, kOther, 2, 0xa00}, whole, 9));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
}

TEST_CASE("a netfilter verdict stands before the drop it led to") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(drop({5000, 0, kNode, 3, 0xaaa}, echo_request(1), 7, kIpError, 7));
  const bool has_flow = GENERATE(true, false);
  bench.timeline.add(
      netfilter({5000, 0, kNode, 3, 0xaaa}, has_flow ? echo_request(1) : dpt_flow{}, 7, 2, -1));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  const auto& hops = bench.packets[0].hops;
  REQUIRE(hops.size() == 4);
  CHECK(hops[2].point == DPT_POINT_NETFILTER);
  CHECK(hops[2].flow.family == 4);
  CHECK_FALSE(hops[2].new_flow);
  CHECK(hops[3].point == DPT_POINT_DROP);
}

TEST_CASE("a rule belongs to the drop of its skb and its time, and begins no packet") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(drop({5000, 0, kNode, 3, 0xaaa}, echo_request(1), 7, kIpError, 7));
  bench.timeline.add(rule(5000, 0xaaa, 7));
  bench.timeline.add(rule(6000, 0xaaa, 7));
  bench.timeline.add(rule(5000, 0xbbb, 7));
  bench.timeline.add(rule(5000, 0xaaa, 8));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  REQUIRE(bench.packets[0].drop->rule);
  CHECK(bench.packets[0].drop->rule->decided() == 7);
  CHECK(bench.packets[0].drop->rule->table_name == "f");
}

TEST_CASE("a drop whose time no rule has is told without one") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.timeline.add(drop({5000, 0, kNode, 3, 0xaaa}, echo_request(1), 7, kIpError, 7));
  bench.timeline.add(rule(4999, 0xaaa, 7));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK_FALSE(bench.packets[0].drop->rule);
}

TEST_CASE("the stack of a free names the hook function where the probes did not") {
  Bench bench;
  bench.names.symbols[0x5000] = {"nft_do_chain", 0x4f00};
  bench.names.symbols[0x6000] = {"nft_do_chain_ipv4", 0x5f00};
  bench.names.symbols[0x7000] = {"nf_hook_slow", 0x6f00};
  bench.send(1000, echo_request(1), 7, 0xaaa);
  auto died = drop({5000, 0, kNode, 3, 0xaaa}, echo_request(1), 7, 0x5000, 7);
  died.stack_depth = 3;
  died.stack[0] = 0x5000;
  died.stack[1] = 0x6000;
  died.stack[2] = 0x7000;
  bench.timeline.add(died);
  auto verdict = netfilter({5000, 0, kNode, 3, 0xaaa}, dpt_flow{}, 7, 2, -1);
  const std::uint64_t probed = GENERATE(0, 0x8000);
  verdict.function = probed;
  bench.timeline.add(verdict);
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].hops[2].netfilter->function == (probed != 0 ? probed : 0x6000));
}

TEST_CASE("what a protocol handler frees after it has understood it is delivered") {
  Bench bench;
  bench.names.symbols[0x5000] = {"icmpv6_rcv", 0x4fff};
  auto flow = echo_request(1);
  flow.protocol = IPPROTO_ICMPV6;
  bench.send(1000, flow, 7, 0xaaa);
  bench.timeline.add(drop({5000, 0, kOther, 2, 0xaaa}, flow, 7, 0x5000, 2));
  bench.advance(kSecond);
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
  CHECK(bench.packets[0].hops.back().point == DPT_POINT_SOCKET);
}

TEST_CASE("an event from the far future does not stop the clock") {
  Bench bench;
  bench.send(1000, echo_request(1), 7, 0xaaa);
  bench.send(std::uint64_t{1} << 62, echo_request(2), 8, 0xbbb);
  bench.advance(std::uint64_t{1} << 61);
  bench.finish();
  CHECK(bench.packets.size() == 2);
}

TEST_CASE("a recording's event times give the same packets in the same order as a live clock") {
  const auto feed = [](Bench& bench, bool live) {
    for (std::uint64_t i = 0; i < 40; ++i) {
      const std::uint64_t time = i * 7 * kMillisecond;
      if (!live) bench.advance(time);
      bench.send(time, echo_request(static_cast<std::uint16_t>(i)), 100 + i, 0xa000);
      if (i % 3 != 0)
        bench.timeline.add(
            hop({time + 9000, DPT_POINT_SOCKET, kOther, 2}, echo_request(1), 100 + i));
      if (live) bench.advance(time + 6 * kMillisecond);
    }
    bench.finish();
  };
  Bench live, replay;
  feed(live, true);
  feed(replay, false);
  REQUIRE(live.packets.size() == replay.packets.size());
  for (std::size_t i = 0; i < live.packets.size(); ++i)
    CHECK(live.packets[i].id == replay.packets[i].id);
}

TEST_CASE("what meets TIME_WAIT is taken, what no socket takes is lost") {
  Bench bench;
  const auto segment = tcp(1000, 12);
  auto answer = tcp_back(1, 12);
  answer.acknowledgment = 1000;
  const bool has_closed = GENERATE(true, false);
  const bool has_reasons = GENERATE(true, false);  // of the kernel
  answer.tcp_flags = has_closed ? 0x11 : 0x10;
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kOther, 2, 0xbbb}, answer, 8));
  bench.timeline.add(hop({5000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xaaa}, segment, 7));
  auto freed = drop({5200, 0, kOther, 2, 0xaaa}, segment, 7, kTcpRcv, 2);
  freed.has_reason = has_reasons;
  bench.timeline.add(freed);
  bench.finish();
  REQUIRE(bench.packets.size() == 2);
  CHECK(bench.packets[1].verdict == (has_closed ? Verdict::kDelivered : Verdict::kDropped));
}

TEST_CASE("a segment with an old time stamp is lost, unless its receiver had all of it before") {
  Bench bench;
  const auto segment = tcp(1000, 1400);
  auto answer = tcp_back(1, 12);
  answer.acknowledgment = GENERATE(1000u, 3000u);
  bench.timeline.add(hop({1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xaaa}, segment, 7));
  bench.timeline.add(hop({5000, DPT_POINT_SOCKET, kOther, 2, 0xaaa}, segment, 7));
  bench.timeline.add(hop({5100, DPT_POINT_DEVICE_TRANSMIT, kOther, 2, 0xbbb}, answer, 8));
  bench.timeline.add(drop({5200, 0, kOther, 2, 0xaaa}, segment, 7, kUdpQueue, kPaws));
  bench.finish();
  REQUIRE(bench.packets.size() == 2);
  if (answer.acknowledgment == 3000) {
    CHECK(bench.packets[0].verdict == Verdict::kDelivered);
    CHECK(points(bench.packets[0]) ==
          std::vector<int>{DPT_POINT_DEVICE_TRANSMIT, DPT_POINT_SOCKET});
  } else {
    REQUIRE(bench.packets[0].verdict == Verdict::kDropped);
    CHECK(bench.packets[0].drop->reason == kPaws);
    CHECK(points(bench.packets[0]) == std::vector<int>{DPT_POINT_DEVICE_TRANSMIT, DPT_POINT_DROP});
  }
}
