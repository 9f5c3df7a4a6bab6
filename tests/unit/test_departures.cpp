#include <netinet/in.h>

#include <catch2/catch.hpp>

#include "explain/departures.hpp"
#include "support/verdict_bench.hpp"
#include "timeline/heard.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint64_t kSkb = 0xa00;
constexpr std::uint32_t kEth0 = 2;

Names names_of_pod() {
  Names names = some_names();
  names.interfaces[{kNode, kEth0}].role = Role::kUplink;
  names.pods[Address(address("10.244.19.28"))] = "default/pod1";
  return names;
}

dpt_hop departure() {
  auto flow = echo_request(1);
  flow.destination = address("203.0.113.9");
  auto record = hop({1000, DPT_POINT_DEVICE_TRANSMIT, kNode, kEth0, kSkb}, flow, 1);
  record.iif = 5;
  return record;
}

// The pod's request has left by eth0, and the node has said that this may be in vain.
struct Outside {
  Bench bench;
  dpt_flow request = departure().flow;

  Outside() {
    bench.names = names_of_pod();
    bench.send(request, 1, kSkb);
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, kEth0, kSkb, request, 1);
    bench.names.explanations[{bench.now, kNode, kEth0}] =
        std::make_shared<Explanation>(Explanation{"not-masqueraded", "likely lost", {}, {}});
  }
  dpt_flow answer() const {
    dpt_flow flow = request;
    std::swap(flow.source, flow.destination);
    flow.l4.icmp.type = 0;
    return flow;
  }
  void leave_again(const char* cause = "not-masqueraded") {
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, kEth0, kSkb + 1, request, 7);
    bench.names.explanations[{bench.now, kNode, kEth0}] =
        std::make_shared<Explanation>(Explanation{cause, "likely lost", {}, {}});
  }
};

}  // namespace

TEST_CASE("what asks for an answer and leaves with a pod's address is asked about") {
  const Names names = names_of_pod();
  ReplyWays ways;
  const auto facts = departure_facts(departure(), names, ways);
  REQUIRE(facts);
  CHECK(facts->departed == Departed::kRequest);
  CHECK(facts->from_pod);
  CHECK_FALSE(facts->before_tc);
  CHECK(facts->device == kEth0);
  CHECK(facts->input == 5);
  CHECK(facts->destination.text() == "203.0.113.9");
}

TEST_CASE("of other packets that leave nothing is asked") {
  Names names = names_of_pod();
  ReplyWays ways;
  dpt_hop hop = departure();
  REQUIRE(departure_facts(hop, names, ways));
  SECTION("an answer") { hop.flow.l4.icmp.type = 0; }
  SECTION("a datagram that need not be answered") {
    hop.flow.protocol = IPPROTO_UDP;
    hop.flow.l4.port = {4000, 514};
  }
  SECTION("of the node") { hop.iif = 0; }
  SECTION("in a tunnel") { hop.tunnel.kind = DPT_TUNNEL_VXLAN; }
  SECTION("on its way in") { hop.point = DPT_POINT_DEVICE_RECEIVE; }
  SECTION("to a pod") { names.interfaces[{kNode, kEth0}].role = Role::kPod; }
  CHECK_FALSE(departure_facts(hop, names, ways));
}

TEST_CASE("only a private address of a pod's should have been translated") {
  Names names = names_of_pod();
  ReplyWays ways;
  dpt_hop hop = departure();
  SECTION("of the node after NAT") { hop.flow.source = address("192.168.56.11"); }
  SECTION("of a pod with an address of the internet") {
    hop.flow.source = address("198.51.100.7");
    names.pods[Address(hop.flow.source)] = "default/pod1";
  }
  const auto facts = departure_facts(hop, names, ways);
  REQUIRE(facts);
  CHECK_FALSE(facts->from_pod);
}

TEST_CASE("at an uplink's tc egress a filter may still translate the packet") {
  ReplyWays ways;
  dpt_hop hop = departure();
  hop.point = DPT_POINT_TC_EGRESS;
  const auto facts = departure_facts(hop, names_of_pod(), ways);
  REQUIRE(facts);
  CHECK(facts->before_tc);
}

TEST_CASE("a request that may have left in vain is told after a second without an answer") {
  Outside outside;
  CHECK(outside.bench.told(900 * kMillisecond).empty());
  REQUIRE(outside.bench.told(kSecond + 100 * kMillisecond).size() == 1);
  CHECK(outside.bench.packets[0].verdict == Verdict::kLeftNode);
  CHECK(outside.bench.packets[0].unanswered);
}

TEST_CASE("an answer to the pod's own address shows that the network knows all of them") {
  Outside outside;
  outside.bench.see(DPT_POINT_TC_INGRESS, kNode, kEth0, 0xb00, outside.answer(), 2);
  outside.bench.arrive(kPod, outside.answer(), 2, 0xb00);
  REQUIRE(outside.bench.told(100 * kMillisecond).size() == 2);
  CHECK_FALSE(outside.bench.packets[0].unanswered);
  outside.bench.now += kSecond;
  outside.request.destination = address("203.0.113.10");
  outside.leave_again();
  REQUIRE(outside.bench.told().size() == 3);
  CHECK_FALSE(outside.bench.packets[2].unanswered);
}

TEST_CASE("an answer that NAT has given the pod's address is one, but only to what it follows") {
  Outside outside;
  dpt_flow answer = outside.answer();
  answer.destination = address("192.168.56.11");
  outside.bench.see(DPT_POINT_TC_INGRESS, kNode, kEth0, 0xb00, answer, 2);
  outside.bench.see(DPT_POINT_TC_EGRESS, kNode, 11, 0xb00, outside.answer(), 2);
  outside.bench.see(DPT_POINT_SOCKET, kPod, 2, 0xb00, outside.answer(), 2);
  REQUIRE(outside.bench.told(100 * kMillisecond).size() == 2);
  CHECK_FALSE(outside.bench.packets[0].unanswered);
  outside.bench.now += kSecond;
  outside.leave_again();
  REQUIRE(outside.bench.told(2 * kSecond).size() == 3);
  CHECK(outside.bench.packets[2].unanswered);
}

TEST_CASE("that the network knows the pods says nothing of a next hop that is silent") {
  Outside outside;
  outside.bench.see(DPT_POINT_TC_INGRESS, kNode, kEth0, 0xb00, outside.answer(), 2);
  outside.bench.arrive(kPod, outside.answer(), 2, 0xb00);
  REQUIRE(outside.bench.told(100 * kMillisecond).size() == 2);
  outside.bench.now += kSecond;
  outside.request.destination = address("203.0.113.10");
  outside.leave_again("neighbour-unresolved");
  REQUIRE(outside.bench.told(2 * kSecond).size() == 3);
  CHECK(outside.bench.packets[2].unanswered);
}

TEST_CASE("an answer that took another way waits for none") {
  Outside outside;
  REQUIRE(outside.bench.told(2 * kSecond).size() == 1);
  outside.bench.now += 3 * kSecond;
  outside.leave_again("asymmetric-route");
  REQUIRE(outside.bench.told(100 * kMillisecond).size() == 2);
  CHECK_FALSE(outside.bench.packets[1].unanswered);
}

TEST_CASE("neighbour discovery is no answer, an error is one") {
  for (const std::uint8_t type : {std::uint8_t{1}, std::uint8_t{136}}) {
    Heard heard;
    dpt_flow request = departure().flow;
    request.protocol = IPPROTO_ICMPV6;
    dpt_flow message = request;
    std::swap(message.source, message.destination);
    message.source = address("fe80::1");
    message.l4.icmp.type = type;
    heard.note(message, 2000, true);
    CHECK(heard.has_answered(request, 1000) == (type == 1));
  }
}

TEST_CASE("at the end of the trace nothing is said of what has not waited long enough") {
  Outside outside;
  outside.bench.timeline.finish(
      [&](Packet&& packet) { outside.bench.packets.push_back(std::move(packet)); });
  REQUIRE(outside.bench.packets.size() == 1);
  CHECK_FALSE(outside.bench.packets[0].unanswered);
}
