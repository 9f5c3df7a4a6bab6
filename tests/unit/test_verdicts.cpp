// What became of a packet of many skbs: parts must all arrive, of copies one; nothing but evidence
// makes a packet delivered.
#include <linux/if_packet.h>

#include <catch2/catch.hpp>

#include "support/wire.hpp"
#include "timeline/timeline.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kPod = 100, kNode = 200, kOther = 300, kThird = 400;
constexpr std::uint64_t kIpRcv = 0x1000, kNft = 0x2000, kPurge = 0x3000, kSniffer = 0x4000,
                        kReceive = 0x5000, kIcmp6 = 0x6000;
constexpr std::uint32_t kUnspecified = 2, kNetfilter = 7, kOtherHost = 8, kQueuePurge = 9;
constexpr std::uint32_t kMtu = 1500;

Names some_names() {
  Names names;
  names.symbols = {{kIpRcv, {"ip_rcv_core", kIpRcv - 4}},
                   {kNft, {"nft_do_chain", kNft - 4}},
                   {kPurge, {"neigh_flush_dev", kPurge - 4}},
                   {kSniffer, {"packet_rcv", kSniffer - 4}},
                   {kIcmp6, {"icmpv6_rcv", kIcmp6 - 4}},
                   {kReceive, {"__netif_receive_skb_core.constprop.0", kReceive - 4}}};
  names.reasons = {{kUnspecified, "NOT_SPECIFIED"},
                   {kNetfilter, "NETFILTER_DROP"},
                   {kOtherHost, "OTHERHOST"},
                   {kQueuePurge, "QUEUE_PURGE"}};
  const auto add = [&](std::uint32_t netns, std::uint32_t index, const char* name, const char* kind,
                       std::uint32_t peer = 0, std::uint32_t master = 0) {
    names.interfaces[{netns, index}] = {{netns, index}, name, kind,  Role::kOther,
                                        kMtu,           peer, master};
  };
  add(kNode, 2, "eth0", "device");
  add(kNode, 5, "cni0", "bridge");
  for (std::uint32_t index = 11; index < 15; ++index)
    add(kNode, index, "veth", "veth", 100 * index, 5);
  add(kNode, 20, "mon0", "veth");
  add(kNode, 30, "wg0", "wireguard");
  for (const auto netns : {kPod, kOther, kThird}) add(netns, 2, "eth0", "veth", kNode);
  return names;
}

struct Bench {
  Names names = some_names();
  Timeline timeline;
  std::vector<Packet> packets;
  std::uint64_t now = 1000;

  explicit Bench(TimelineLimits limits = {}) : timeline(names, limits) {}

  void see(std::uint8_t point, std::uint32_t netns, std::uint32_t ifindex, std::uint64_t skb,
           const dpt_flow& flow, std::uint64_t key, std::uint8_t type = PACKET_HOST) {
    auto record = hop({now += 1000, point, netns, ifindex, skb}, flow, key);
    record.packet_type = type;
    const bool received = point == DPT_POINT_TC_INGRESS || point == DPT_POINT_DEVICE_RECEIVE;
    record.iif = received || netns == kNode ? 1 : 0;
    timeline.add(record);
  }
  void free(std::uint32_t netns, std::uint32_t ifindex, std::uint64_t skb, const dpt_flow& flow,
            std::uint64_t key, std::uint64_t location, std::uint32_t reason,
            std::uint8_t type = PACKET_HOST) {
    auto record = drop({now += 1000, 0, netns, ifindex, skb}, flow, key, location, reason);
    record.hop.packet_type = type;
    record.hop.iif = netns == kPod ? 0 : 1;
    timeline.add(record);
  }
  // From the pod's eth0 through its veth.
  void send(const dpt_flow& flow, std::uint64_t key, std::uint64_t skb) {
    see(DPT_POINT_DEVICE_TRANSMIT, kPod, 2, skb, flow, key);
    see(DPT_POINT_TC_INGRESS, kNode, 11, skb, flow, key);
  }
  void arrive(std::uint32_t netns, const dpt_flow& flow, std::uint64_t key, std::uint64_t skb) {
    see(DPT_POINT_DEVICE_RECEIVE, netns, 2, skb, flow, key);
    see(DPT_POINT_SOCKET, netns, 2, skb, flow, key);
  }
  // A copy of what comes in by port 11 goes out by another.
  void flood(std::uint32_t port, const dpt_flow& flow, std::uint64_t key, std::uint64_t skb) {
    see(DPT_POINT_TC_EGRESS, kNode, port, skb, flow, key);
  }
  void consume(std::uint64_t skb, std::uint64_t key, std::uint64_t location = 0) {
    dpt_end end{};
    end.event = {DPT_EVENT_END, sizeof end, 0, now += 1000};
    end.skb = skb;
    end.key = key;
    end.location = location;
    timeline.add(end);
  }
  const std::vector<Packet>& told(std::uint64_t after = kSecond) {
    timeline.advance(now + after,
                     [this](Packet&& packet) { packets.push_back(std::move(packet)); });
    return packets;
  }
  const Packet& only() {
    told(60 * kSecond);
    REQUIRE(packets.size() == 1);
    return packets[0];
  }
};

dpt_flow fragment(std::uint32_t offset, std::uint32_t length, bool more) {
  auto flow = udp(offset == 0 ? 4000 : 0, 20 + length);
  flow.ip_id = 77;
  flow.fragment = static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0));
  if (offset != 0) flow.l4.port = {0, 0};
  return flow;
}

dpt_flow segment(std::uint32_t sequence, std::uint32_t payload, std::uint32_t id) {
  auto flow = tcp(sequence, payload);
  flow.headers = 40;
  flow.ip_id = id;
  return flow;
}

}  // namespace

TEST_CASE("a frame for a MAC that nobody has is dropped where every copy died, not delivered") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.flood(12, flow, 7, 0xb00);
  bench.flood(13, flow, 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xb00, flow, 7, PACKET_OTHERHOST);
  bench.free(kOther, 2, 0xb00, flow, 7, kIpRcv, kOtherHost, PACKET_OTHERHOST);
  SECTION("all of them") {
    bench.see(DPT_POINT_DEVICE_RECEIVE, kThird, 2, 0xa00, flow, 7, PACKET_OTHERHOST);
    bench.free(kThird, 2, 0xa00, flow, 7, kIpRcv, kOtherHost, PACKET_OTHERHOST);
    const auto& packet = bench.only();
    CHECK(packet.verdict == Verdict::kDropped);
    REQUIRE(packet.drop);
    CHECK(packet.drop->reason == kOtherHost);
  }
  SECTION("but one") {
    bench.arrive(kThird, flow, 7, 0xa00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
    CHECK(bench.packets[0].drops.empty());
  }
  SECTION("and one is under way still") {
    CHECK(bench.told(kSecond).empty());
    CHECK(bench.only().verdict == Verdict::kUnfinished);
  }
}

TEST_CASE("of flooded copies, the one at the netns that has the address is named") {
  Bench bench;
  auto answer = echo_request(1);
  std::swap(answer.source, answer.destination);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kThird, 2, 0xc00, answer, 6);
  bench.see(DPT_POINT_SOCKET, kPod, 2, 0xc00, answer, 6);
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.flood(12, flow, 7, 0xb00);
  bench.flood(13, flow, 7, 0xa00);
  bench.free(kOther, 2, 0xb00, flow, 7, kIpRcv, kOtherHost, PACKET_OTHERHOST);
  bench.free(kThird, 2, 0xa00, flow, 7, kIpRcv, kOtherHost, PACKET_OTHERHOST);
  bench.told();
  REQUIRE(bench.packets.size() == 2);
  REQUIRE(bench.packets[1].drop);
  CHECK(bench.packets[1].drop->interface.netns == kThird);
}

TEST_CASE("a sniffer's copy that found no room says nothing of the packet") {
  Bench bench;
  bench.send(echo_request(1), 7, 0xa00);
  bench.free(kNode, 11, 0xb00, echo_request(1), 7, kSniffer, kUnspecified);
  SECTION("it is under way") {
    CHECK(bench.told(kSecond).empty());
    CHECK(bench.only().verdict == Verdict::kUnfinished);
  }
  SECTION("it arrives") {
    bench.arrive(kOther, echo_request(1), 7, 0xa00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
  SECTION("it dies") {
    bench.free(kNode, 5, 0xa00, echo_request(1), 7, kNft, kNetfilter);
    CHECK(bench.only().verdict == Verdict::kDropped);
    CHECK(bench.packets[0].drop->reason == kNetfilter);
  }
}

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
  const auto six = [](dpt_flow flow, std::uint32_t id) {
    flow.source = address("fd00::1");
    flow.destination = address("fd00::2");
    flow.family = 6;
    flow.ip_id = id;
    flow.length += 28;
    return flow;
  };
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

TEST_CASE("of a multicast each receiver's copy counts, and its loss is told") {
  Bench bench;
  auto flow = udp(4000, 60);
  flow.destination = address("239.1.2.3");
  bench.send(flow, 7, 0xa00);
  bench.flood(12, flow, 7, 0xb00);
  bench.flood(13, flow, 7, 0xa00);
  bench.arrive(kOther, flow, 7, 0xb00);
  SECTION("dropped by a receiver's firewall") {
    bench.free(kThird, 2, 0xa00, flow, 7, kNft, kNetfilter, PACKET_MULTICAST);
    const auto& packet = bench.only();
    CHECK(packet.verdict == Verdict::kDelivered);
    CHECK_FALSE(packet.drop);
    REQUIRE(packet.drops.size() == 1);
    CHECK(packet.drops[0].copy);
    CHECK(lost_anything(packet));
    CHECK(packet.copies.size() == 2);
  }
  SECTION("not wanted by another") {
    bench.free(kThird, 2, 0xa00, flow, 7, kIpRcv, kUnspecified, PACKET_MULTICAST);
    CHECK_FALSE(lost_anything(bench.only()));
  }
}

TEST_CASE("a broadcast that nobody wants is no loss, and nobody waits for its end") {
  Bench bench;
  auto flow = udp(4000, 60);
  flow.destination = address("10.244.19.255");
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 2, 0xa00, flow, 7, PACKET_BROADCAST);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xa00, flow, 7, PACKET_BROADCAST);
  bench.free(kOther, 2, 0xa00, flow, 7, kIpRcv, kUnspecified, PACKET_BROADCAST);
  bench.told();
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kUnfinished);
  CHECK(bench.packets[0].nobody_wanted);
}

TEST_CASE("a mirrored copy does not tell what became of the packet") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 20, 0xb00, flow, 7);
  bench.arrive(kThird, flow, 7, 0xb00);
  SECTION("the packet is dropped") {
    bench.free(kNode, 5, 0xa00, flow, 7, kNft, kNetfilter);
    CHECK(bench.only().verdict == Verdict::kDropped);
  }
  SECTION("the packet arrives") {
    bench.see(DPT_POINT_TC_EGRESS, kNode, 12, 0xa00, flow, 7);
    bench.arrive(kOther, flow, 7, 0xa00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
}

TEST_CASE("a flooded copy that was dropped does not outrank the one that left the node") {
  Bench bench;
  bench.names.interfaces[{kNode, 2}].master = 5;
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.flood(12, flow, 7, 0xb00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 2, 0xa00, flow, 7);
  bench.free(kOther, 2, 0xb00, flow, 7, kNft, kNetfilter);
  CHECK(bench.only().verdict == Verdict::kLeftNode);
}

TEST_CASE(
    "what IPsec was given is stolen by it, unless the kernel drops it or it is decrypted here") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.see(DPT_POINT_ENCAPSULATE, kNode, 20, 0xa00, flow, 7);
  SECTION("encrypted") { CHECK(bench.only().verdict == Verdict::kStolen); }
  SECTION("it had no key") {
    bench.free(kNode, 20, 0xa00, flow, 7, kNft, kNetfilter);
    CHECK(bench.only().verdict == Verdict::kDropped);
  }
  SECTION("the other end is on this machine") {
    bench.arrive(kOther, flow, 7, 0xb00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
  SECTION("decrypted here, and not heard of again") {
    bench.see(DPT_POINT_DEVICE_RECEIVE, kOther, 2, 0xb00, flow, 7);
    CHECK(bench.only().verdict == Verdict::kUnfinished);
  }
}

TEST_CASE(
    "a device that encrypts has stolen what it was given, unless it is decrypted here, soon") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.send(flow, 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 30, 0xa00, flow, 7);
  SECTION("a handshake later") {
    CHECK(bench.told(kSecond / 2).empty());
    bench.now += kSecond / 2;
    bench.arrive(kOther, flow, 7, 0xb00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
  SECTION("the other end is elsewhere") {
    CHECK(bench.told(2 * kSecond).size() == 1);
    CHECK(bench.packets[0].verdict == Verdict::kStolen);
  }
}

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
    lossy.timeline.add(lost);
    lossy.consume(0xa00, 7, kReceive);
    CHECK(lossy.only().verdict == Verdict::kUnfinished);
  }
}

TEST_CASE(
    "the sender's own copy of a broadcast comes before the packet itself, and ends before it") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kPod, 2, 0xb00, flow, 7, PACKET_LOOPBACK);
  bench.free(kPod, 2, 0xb00, flow, 7, kIpRcv, kUnspecified, PACKET_LOOPBACK);
  bench.send(flow, 7, 0xa00);
  SECTION("taken elsewhere") {
    bench.arrive(kOther, flow, 7, 0xa00);
    CHECK(bench.only().verdict == Verdict::kDelivered);
  }
  SECTION("lost elsewhere") {
    bench.free(kNode, 11, 0xa00, flow, 7, kNft, kNetfilter, PACKET_BROADCAST);
    CHECK(bench.only().verdict == Verdict::kDropped);
  }
  SECTION("another of equal content is another packet") {
    bench.arrive(kOther, flow, 7, 0xa00);
    bench.send(flow, 7, 0xc00);
    CHECK(bench.told(60 * kSecond).size() == 2);
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

TEST_CASE("what was under way while events were lost says that hops may be missing") {
  Bench bench;
  bench.send(echo_request(1), 7, 0xa00);
  dpt_lost lost{};
  lost.event = {DPT_EVENT_LOST, sizeof lost, 0, bench.now + 5000};
  lost.since_ns = bench.now - 5000;
  lost.records = 3;
  bench.timeline.add(lost);
  bench.arrive(kOther, echo_request(1), 7, 0xa00);
  bench.send(echo_request(2), 8, 0xb00);  // before the end of the loss
  bench.arrive(kOther, echo_request(2), 8, 0xb00);
  bench.now += kMillisecond;
  bench.send(echo_request(3), 9, 0xc00);
  bench.arrive(kOther, echo_request(3), 9, 0xc00);
  bench.told();
  REQUIRE(bench.packets.size() == 3);
  CHECK(bench.packets[0].incomplete == Incomplete::kEventsLost);
  CHECK(bench.packets[1].incomplete == Incomplete::kEventsLost);
  CHECK(bench.packets[2].incomplete == Incomplete::kNo);
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
