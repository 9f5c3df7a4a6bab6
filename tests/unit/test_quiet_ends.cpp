// What frees without a reason, and events that were lost, say of a packet.
#include <linux/if_packet.h>

#include "support/verdict_bench.hpp"

using namespace dptrace;
using namespace dptrace::test;

TEST_CASE("what tc consumed and gave to nobody is dropped") {
  Bench bench;
  bench.send(echo_request(1), 7, 0xa00);
  bench.consume(0xa00, 7, kReceive);
  SECTION("a redirection to a device that is gone") {
    CHECK(bench.only().verdict == Verdict::kDropped);
    CHECK(bench.packets[0].drop->location == kReceive);
  }
  SECTION("not when a clone went on") {
    Bench cloned;
    cloned.send(echo_request(1), 7, 0xa00);
    cloned.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 20, 0xb00, echo_request(1), 7);
    cloned.consume(0xa00, 7, kReceive);
    cloned.arrive(kOther, echo_request(1), 7, 0xb00);
    CHECK(cloned.only().verdict == Verdict::kDelivered);
  }
  SECTION("not when an event was lost") {
    Bench lossy;
    lossy.send(echo_request(1), 7, 0xa00);
    dpt_lost lost{};
    lost.event = {DPT_EVENT_LOST, sizeof lost, 0, lossy.now + 5000};
    lost.records = 1;
    lossy.timeline.add(lost);
    lossy.consume(0xa00, 7, kReceive);
    CHECK(lossy.only().verdict == Verdict::kUnfinished);
  }
}

TEST_CASE("what a protocol of the kernel consumed is taken, a multicast too") {
  Bench bench;
  const auto solicitation = echo_request(1);
  bench.send(solicitation, 7, 0xa00);
  bench.flood(12, solicitation, 7, 0xb00);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xb00, solicitation, 7, PACKET_MULTICAST);
  SECTION("neighbour discovery understood it") {
    bench.consume(0xb00, 7, kIcmp6);
    CHECK(bench.only().verdict == Verdict::kDelivered);
    const auto& end = bench.packets[0].hops.back();
    CHECK(end.point == DPT_POINT_SOCKET);
    CHECK(end.interface == InterfaceId{kOther, 2});
    CHECK(end.flow.family == 4);
  }
  SECTION("nobody says so") {
    bench.consume(0xb00, 7);
    CHECK(bench.only().verdict == Verdict::kUnfinished);
  }
}

TEST_CASE("where an arrival may be among the lost events, a free is no verdict") {
  Bench bench;
  const auto reply = echo_request(1);
  bench.send(reply, 7, 0xa00);
  const bool lossy = GENERATE(true, false);
  if (lossy) {
    dpt_lost lost{};
    lost.event = {DPT_EVENT_LOST, sizeof lost, 0, bench.now + 5000};
    lost.records = 1;
    bench.timeline.add(lost);
  }
  SECTION("of ICMP, whose raw sockets have copies") {
    bench.names.symbols[0x6000] = {"icmp_rcv", 0x5ff0};
    bench.free(kOther, 2, 0xa00, reply, 7, 0x6000, 3);
    CHECK(bench.only().verdict == (lossy ? Verdict::kUnfinished : Verdict::kDropped));
  }
  SECTION("but what a rule dropped is dropped") {
    bench.free(kOther, 2, 0xa00, reply, 7, kNft, kNetfilter);
    CHECK(bench.only().verdict == Verdict::kDropped);
  }
}

TEST_CASE("what was under way while events were lost or families not attached says so") {
  Bench bench;
  dpt_lost lost{};
  auto why = Incomplete::kNotArmed;
  SECTION("families were not attached") { lost.records = 0; }
  SECTION("events were lost") {
    lost.records = 3;
    why = Incomplete::kEventsLost;
  }
  bench.send(echo_request(1), 7, 0xa00);
  lost.event = {DPT_EVENT_LOST, sizeof lost, 0, bench.now + 5000};
  lost.since_ns = bench.now - 5000;
  bench.timeline.add(lost);
  bench.arrive(kOther, echo_request(1), 7, 0xa00);
  bench.send(echo_request(2), 8, 0xb00);  // before the end of that time
  bench.arrive(kOther, echo_request(2), 8, 0xb00);
  bench.now += kMillisecond;
  bench.send(echo_request(3), 9, 0xc00);
  bench.arrive(kOther, echo_request(3), 9, 0xc00);
  bench.told();
  REQUIRE(bench.packets.size() == 3);
  CHECK(bench.packets[0].incomplete == why);
  CHECK(bench.packets[1].incomplete == why);
  CHECK(bench.packets[2].incomplete == Incomplete::kNo);
}
