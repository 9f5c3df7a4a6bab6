// What became of a packet in segments or fragments: all must arrive.
#include <linux/if_packet.h>

#include "support/verdict_bench.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

// The flow over IPv6, a fragment with this id.
dpt_flow six(dpt_flow flow, std::uint32_t id) {
  flow.source = address("fd00::1");
  flow.destination = address("fd00::2");
  flow.family = 6;
  flow.ip_id = id;
  flow.length += 28;
  return flow;
}

}  // namespace

TEST_CASE("a GSO packet of which segments were dropped is dropped, and says which") {
  Bench bench;
  bench.send(segment(1000, 4200, 50), 7, 0xa00);
  const auto cut = [&](std::uint32_t number) {
    return segment(1000 + 1400 * number, 1400, 50 + number);
  };
  for (std::uint32_t i = 0; i < 3; ++i)
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xb00 + i * 256, cut(i), i == 0 ? 7 : 7 + i);
  bench.arrive(kOther, cut(0), 7, 0xb00);
  bench.free(kOther, 2, 0xc00, cut(1), 8, kNft, kNetfilter);
  SECTION("one of three") {
    bench.arrive(kOther, cut(2), 9, 0xd00);
    const auto& packet = bench.only();
    CHECK(packet.verdict == Verdict::kDropped);
    REQUIRE(packet.drop);
    CHECK(packet.drop->part == Part{Part::Kind::kSegment, 2400, 1400});
    CHECK(packet.segments == 3);
    CHECK(packet.drops.empty());
  }
  SECTION("two of three") {
    bench.free(kOther, 2, 0xd00, cut(2), 9, kNft, kNetfilter);
    CHECK(bench.only().drops.size() == 2);
    CHECK(bench.packets[0].drops[1].part == Part{Part::Kind::kSegment, 3800, 1400});
  }
  SECTION("a retransmission is another packet, and mends nothing of the first") {
    bench.arrive(kOther, cut(2), 9, 0xd00);
    bench.send(segment(2400, 1400, 60), 20, 0xe00);
    bench.arrive(kOther, segment(2400, 1400, 60), 20, 0xe00);
    bench.told();
    REQUIRE(bench.packets.size() == 2);
    CHECK(bench.packets[0].verdict == Verdict::kDropped);
    CHECK(bench.packets[1].verdict == Verdict::kDelivered);
    CHECK(bench.packets[1].retransmission);
    CHECK_FALSE(bench.packets[0].retransmission);
  }
}

TEST_CASE("segments that GRO put together again arrive by the one that has them") {
  Bench bench;
  bench.send(segment(1000, 2800, 50), 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xb00, segment(1000, 1400, 50), 7);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xc00, segment(2400, 1400, 51), 8);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xb00, segment(1000, 2800, 50), 7);
  SECTION("taken") {
    bench.see(DPT_POINT_SOCKET, kOther, 2, 0xb00, segment(1000, 2800, 50), 7);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
  SECTION("dropped") {
    bench.free(kOther, 2, 0xb00, segment(1000, 2800, 50), 7, kNft, kNetfilter);
    CHECK(bench.only().verdict == Verdict::kDropped);
    CHECK_FALSE(bench.packets[0].drop->part);
  }
}

TEST_CASE("a segment of which nothing more is heard leaves its packet unfinished") {
  Bench bench;
  bench.send(segment(1000, 2800, 50), 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xb00, segment(1000, 1400, 50), 7);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xc00, segment(2400, 1400, 51), 8);
  bench.arrive(kOther, segment(1000, 1400, 50), 7, 0xb00);
  CHECK(bench.only().verdict == Verdict::kUnfinished);
}

TEST_CASE("a datagram in fragments needs all of them") {
  Bench bench;
  const auto first = fragment(0, 1480, true), middle = fragment(1480, 1480, true),
             last = fragment(2960, 100, false);
  bench.send(first, 7, 0xa00);
  bench.arrive(kOther, first, 7, 0xa00);
  // Each is on its far way before the next is sent.
  bench.packets.clear();
  SECTION("one is dropped, and the others are given up later: one packet") {
    Bench late;
    late.send(first, 7, 0xa00);
    late.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xa00, first, 7);
    late.send(middle, 8, 0xb00);
    late.free(kOther, 2, 0xb00, middle, 8, kNft, kNetfilter);
    late.send(last, 9, 0xc00);
    late.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xc00, last, 9);
    late.told(20 * kSecond);
    late.now += 29 * kSecond;
    late.free(kOther, 2, 0xa00, first, 7, kIpRcv, kUnspecified);
    late.free(kOther, 2, 0xc00, last, 9, kIpRcv, kUnspecified);
    const auto& packet = late.only();
    CHECK(packet.verdict == Verdict::kDropped);
    CHECK(packet.drop->part == Part{Part::Kind::kFragment, 1480, 1480});
    CHECK(packet.segments == 3);
    CHECK(packet.part_kind == Part::Kind::kFragment);
  }
  SECTION("made whole and cut again it is one still") {
    Bench cut;
    cut.send(first, 7, 0xa00);
    cut.send(middle, 8, 0xb00);
    cut.send(last, 9, 0xc00);
    auto whole = udp(4000, 20 + 3060);
    whole.ip_id = 77;
    cut.see(DPT_POINT_NETFILTER, kNode, 5, 0xc00, whole, 10);
    cut.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xc00, first, 7);
    cut.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xd00, middle, 8);
    cut.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xe00, last, 9);
    cut.see(DPT_POINT_SOCKET, kOther, 2, 0xe00, whole, 10);
    const auto& packet = cut.only();
    CHECK(packet.verdict == Verdict::kDelivered);
    CHECK(packet.segments == 3);
  }
}

TEST_CASE("an IPv6 datagram keeps its identity through another fragment id") {
  Bench bench;
  const auto first = fragment(0, 1440, true), last = fragment(1440, 100, false);
  bench.send(six(first, 11), 7, 0xa00);
  bench.send(six(last, 11), 8, 0xb00);
  auto whole = six(udp(4000, 20 + 1540 - 8), 0);
  bench.see(DPT_POINT_NETFILTER, kNode, 5, 0xb00, whole, 9);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xb00, six(first, 12), 17);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0xc00, six(last, 12), 18);
  bench.see(DPT_POINT_SOCKET, kOther, 2, 0xc00, whole, 9);
  CHECK(bench.only().verdict == Verdict::kDelivered);
}

TEST_CASE("datagrams of one GSO send are one packet, also when the socket cuts them") {
  Bench bench;
  auto all = udp(4000, 28 + 3600);
  all.ip_id = 300;
  auto sent = hop({bench.now += 1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00}, all, 7);
  sent.flags |= DPT_HOP_GSO;
  bench.timeline.add(sent);
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto one = udp(4000, 28 + 1200);
    one.ip_id = 300 + i;
    bench.see(DPT_POINT_SOCKET, kOther, 2, 0xb00 + i * 256, one, 20 + i);
  }
  CHECK(bench.only().verdict == Verdict::kDelivered);
}

TEST_CASE(
    "over IPv6 datagrams of one GSO send have their order alone, and one may be alike another") {
  Bench bench;
  auto all = udp(4000, 48 + 3000);
  all.family = 6;
  all.ip_id = 0;
  auto sent = hop({bench.now += 1000, DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00}, all, 7);
  sent.flags |= DPT_HOP_GSO;
  bench.timeline.add(sent);
  auto received = hop({bench.now += 1000, DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xa00}, all, 7);
  received.flags |= DPT_HOP_GSO;
  bench.timeline.add(received);
  const bool alike = GENERATE(false, true);
  // The first may have the address of an skb that carried all of it before.
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto one = all;
    one.length = i < 2 ? 48 + 1200 : 48 + 600;
    bench.see(DPT_POINT_SOCKET, kOther, 2, 0xb00 + i * 256, one, alike && i < 2 ? 20 : 20 + i);
  }
  CHECK(bench.only().verdict == Verdict::kDelivered);
}

TEST_CASE("what was queued to user space is one packet, however late it goes on") {
  Bench bench;
  bench.send(echo_request(1), 7, 0xa00);
  auto queued = netfilter({bench.now += 1000, 0, kNode, 5, 0xa00}, echo_request(1), 7, 2, 0);
  queued.hop.iif = 1;
  bench.timeline.add(queued);
  CHECK(bench.told(30 * kSecond).empty());
  bench.now += 31 * kSecond;
  bench.arrive(kOther, echo_request(1), 7, 0xa00);
  CHECK(bench.only().verdict == Verdict::kDelivered);
}

TEST_CASE("a raw socket's clone of an IPv6 datagram is that of the fragments that came there") {
  Bench bench;
  const auto first = fragment(0, 1440, true), last = fragment(1440, 100, false);
  const auto whole = six(udp(4000, 20 + 1540 - 8), 0);
  bench.send(six(first, 11), 7, 0xa00);
  bench.send(six(last, 11), 8, 0xb00);
  // The node cuts it again, into skbs that are new, or whose addresses are in use again.
  bench.see(DPT_POINT_DEVICE_RECEIVE, kNode, 5, 0xb00, whole, 9);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0x100, six(first, 12), 17);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 12, 0x200, six(last, 12), 18);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0x100, six(first, 12), 17);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0x200, six(last, 12), 18);
  bench.see(DPT_POINT_SOCKET, kOther, 2, 0x300, whole, 9);
  bench.free(kOther, 2, 0x100, whole, 9, kIcmp6, kUnspecified);
  CHECK(bench.only().verdict == Verdict::kDelivered);
}
