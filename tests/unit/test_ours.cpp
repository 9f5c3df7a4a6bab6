// What bears addresses that NAT gave a packet of ours is shown when the filter has matched it, or
// when it ended before that could be told.
#include <catch2/catch.hpp>

#include "support/wire.hpp"
// After netinet/in.h, which it collides with.
#include <linux/netfilter.h>

#include "timeline/timeline.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kNode = 200, kUplink = 2;
constexpr std::uint64_t kSkb = 0xa00, kKey = 7, kNft = 0x2000;
constexpr std::uint32_t kNetfilter = 7;

// From outside to the address and port that the node lends its pods.
struct Reply {
  Names names;
  Timeline timeline{names, {}};
  std::vector<Packet> packets;
  dpt_flow flow = udp(4000, 60);
  std::uint64_t now = 1000;

  Reply() {
    flow.destination = address("192.168.56.11");
    names.symbols = {{kNft, {"nft_do_chain", kNft - 4}}};
    names.reasons = {{kNetfilter, "NETFILTER_DROP"}};
  }
  void see(std::uint8_t point, std::uint8_t flags = 0) {
    auto record = hop({now += 1000, point, kNode, kUplink, kSkb}, flow, kKey);
    record.flags = flags;
    record.iif = kUplink;
    timeline.add(record);
  }
  void hook(std::uint8_t number, int result) {
    auto record = netfilter({now += 1000, 0, kNode, kUplink, kSkb}, flow, kKey, number, result);
    record.hop.flags = 0;
    record.hop.iif = kUplink;
    timeline.add(record);
  }
  void free() {
    auto record = drop({now += 1000, 0, kNode, kUplink, kSkb}, flow, kKey, kNft, kNetfilter);
    record.hop.flags = 0;
    record.hop.iif = kUplink;
    timeline.add(record);
  }
  const std::vector<Packet>& told() {
    timeline.finish([this](Packet&& packet) { packets.push_back(std::move(packet)); });
    return packets;
  }
};

}  // namespace

TEST_CASE("a reply that NAT shows to be our pod's is shown from the uplink on") {
  Reply reply;
  reply.see(DPT_POINT_DEVICE_RECEIVE);
  reply.hook(NF_INET_PRE_ROUTING, 1);
  reply.flow.destination = address("10.244.19.28");
  reply.see(DPT_POINT_TC_EGRESS, DPT_HOP_MATCHES);
  REQUIRE(reply.told().size() == 1);
  CHECK(reply.packets[0].hops.size() == 3);
}

TEST_CASE("a reply that NAT leaves to the node's own socket is not ours") {
  Reply reply;
  reply.see(DPT_POINT_DEVICE_RECEIVE);
  SECTION("taken") {
    reply.hook(NF_INET_PRE_ROUTING, 1);
    reply.see(DPT_POINT_SOCKET);
  }
  SECTION("taken, where hooks cannot be seen") { reply.see(DPT_POINT_SOCKET); }
  SECTION("not heard of again") {}
  SECTION("dropped behind NAT") {
    reply.hook(NF_INET_PRE_ROUTING, 1);
    reply.free();
    reply.hook(NF_INET_LOCAL_IN, -1);
  }
  CHECK(reply.told().empty());
}

TEST_CASE("a reply that ended before NAT is shown") {
  Reply reply;
  reply.see(DPT_POINT_DEVICE_RECEIVE);
  SECTION("where hooks cannot be seen") { reply.free(); }
  SECTION("by a rule in PREROUTING") {
    reply.free();
    reply.hook(NF_INET_PRE_ROUTING, -1);
  }
  REQUIRE(reply.told().size() == 1);
  CHECK(reply.packets[0].verdict == Verdict::kDropped);
}

TEST_CASE("an ICMP error about a translated packet has no address of ours, and is shown") {
  Reply reply;
  reply.flow.protocol = IPPROTO_ICMP;
  reply.flow.l4.icmp = {3, 1, 0};
  reply.see(DPT_POINT_DEVICE_RECEIVE);
  CHECK(reply.told().size() == 1);
}

TEST_CASE("an echo is followed by its addresses, whatever id its sender has given it") {
  Reply reply;
  reply.flow.protocol = IPPROTO_ICMP;
  const auto id = GENERATE(as<std::uint16_t>(), 0, 7);
  reply.flow.l4.icmp = {0, 0, id};
  reply.see(DPT_POINT_DEVICE_RECEIVE);
  reply.see(DPT_POINT_SOCKET);
  CHECK(reply.told().empty());
}
