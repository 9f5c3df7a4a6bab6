// What became of a packet of many skbs, copies of each other: of those one must arrive; nothing but
// evidence makes a packet delivered.
#include <linux/if_packet.h>

#include "support/verdict_bench.hpp"

using namespace dptrace;
using namespace dptrace::test;

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
  bench.names.interfaces[{kNode, 30}].kind =
      GENERATE(as<std::string>(), "wireguard", "xfrm", "vti", "vti6", "ovpn");
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

TEST_CASE("a device that may encrypt or not has not stolen what it was given") {
  Bench bench;
  const auto flow = echo_request(1);
  bench.names.interfaces[{kNode, 30}].kind = "macsec";
  bench.send(flow, 7, 0xa00);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kNode, 30, 0xa00, flow, 7);
  CHECK(bench.only().verdict == Verdict::kUnfinished);
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
