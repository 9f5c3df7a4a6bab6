// A timeline on a node with three pods behind a bridge, for tests of what became of a packet.
#pragma once

#include <linux/if_packet.h>

#include <catch2/catch.hpp>

#include "support/wire.hpp"
#include "timeline/timeline.hpp"

namespace dptrace::test {

inline constexpr std::uint32_t kPod = 100, kNode = 200, kOther = 300, kThird = 400;
inline constexpr std::uint64_t kIpRcv = 0x1000, kNft = 0x2000, kPurge = 0x3000, kSniffer = 0x4000,
                               kReceive = 0x5000, kIcmp6 = 0x6000;
inline constexpr std::uint32_t kUnspecified = 2, kNetfilter = 7, kOtherHost = 8, kQueuePurge = 9;
inline constexpr std::uint32_t kMtu = 1500;

inline Names some_names() {
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

inline dpt_flow fragment(std::uint32_t offset, std::uint32_t length, bool more) {
  auto flow = udp(offset == 0 ? 4000 : 0, 20 + length);
  flow.ip_id = 77;
  flow.fragment = static_cast<std::uint16_t>(offset / 8 | (more ? 0x2000 : 0));
  if (offset != 0) flow.l4.port = {0, 0};
  return flow;
}

inline dpt_flow segment(std::uint32_t sequence, std::uint32_t payload, std::uint32_t id) {
  auto flow = tcp(sequence, payload);
  flow.headers = 40;
  flow.ip_id = id;
  return flow;
}

}  // namespace dptrace::test
