// Made-up packets of a flannel node, with the names that go with them.
#pragma once

#include <initializer_list>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace::sample {

inline constexpr std::uint32_t kHome = 4026531840;
inline constexpr std::uint32_t kClient = 4026532281;
inline constexpr std::uint32_t kNode2 = 4026532402;
inline constexpr std::uint32_t kWeb = 4026532503;

inline constexpr InterfaceId kClientEth0{kClient, 2};
inline constexpr InterfaceId kVeth{kHome, 33};
inline constexpr InterfaceId kCni0{kHome, 31};
inline constexpr InterfaceId kFlannel{kHome, 30};
inline constexpr InterfaceId kUplink{kHome, 2};
inline constexpr InterfaceId kNode2Uplink{kNode2, 2};
inline constexpr InterfaceId kNode2Cni0{kNode2, 5};
inline constexpr InterfaceId kWebEth0{kWeb, 2};

inline constexpr std::uint64_t kIpError = 0xffffffff81a0107e;
inline constexpr std::uint64_t kIpRcv = 0xffffffff81a02033;
inline constexpr std::uint64_t kNftDoChainIpv4 = 0xffffffffc0301000;
inline constexpr std::uint64_t kNftDrop = 0xffffffffc030240f;
inline constexpr std::uint64_t kKfreeSkbList = 0xffffffff8190302a;
inline constexpr std::uint64_t kDevQueueXmit = 0xffffffff8191040f;

inline constexpr std::uint64_t kStart = 5'000'000'000;

inline Address address(std::string_view text) { return Address::parse(text).value(); }

inline Names names() {
  Names names;
  names.node_name = "worker-1";
  names.kernel_release = "6.1.0-37-amd64";
  // 2026-11-21T05:26:00.123456789Z at kStart.
  names.wall_clock_offset_ns = 1795238760'123456789 - static_cast<std::int64_t>(kStart);
  names.home_netns = kHome;
  const auto add = [&](InterfaceId id, std::string_view name, std::string_view kind, Role role,
                       std::uint32_t peer_netns) {
    Interface interface;
    interface.id = id;
    interface.name = name;
    interface.kind = kind;
    interface.role = role;
    interface.mtu = 1450;
    interface.peer_netns = peer_netns;
    names.interfaces[id] = interface;
  };
  add(kClientEth0, "eth0", "veth", Role::kOther, kHome);
  add(kVeth, "veth4722669f", "veth", Role::kPod, kClient);
  add(kCni0, "cni0", "bridge", Role::kBridge, 0);
  add(kFlannel, "flannel.1", "vxlan", Role::kOverlay, 0);
  add(kUplink, "eth0", "device", Role::kUplink, 0);
  add(kNode2Uplink, "eth0", "veth", Role::kUplink, 0);
  add(kNode2Cni0, "cni0", "bridge", Role::kBridge, 0);
  add(kWebEth0, "eth0", "veth", Role::kOther, kNode2);
  names.netns[kClient] = {"", "default/client"};
  names.netns[kNode2] = {"n2", ""};
  names.netns[kWeb] = {"n2-web", ""};
  names.pods[address("10.244.1.2")] = "default/client";
  names.pods[address("fd00:10:244:1::2")] = "default/client";
  names.reasons = {{2, "NOT_SPECIFIED"}, {6, "NETFILTER_DROP"}, {9, "IP_INADDRERRORS"}};
  names.symbols = {{kNftDrop, {"nft_do_chain", 0xffffffffc0302000}},
                   {kIpError, {"ip_error", 0xffffffff81a01000}},
                   {kIpRcv, {"ip_rcv", 0xffffffff81a02000}},
                   {kNftDoChainIpv4, {"nft_do_chain_ipv4", 0xffffffffc0301000}},
                   {kKfreeSkbList, {"kfree_skb_list", 0xffffffff81903000}},
                   {kDevQueueXmit, {"__dev_queue_xmit", 0xffffffff81910000}}};
  return names;
}

inline dpt_flow flow(std::string_view source, std::string_view destination, std::uint8_t protocol) {
  dpt_flow flow{};
  flow.source = address(source).bytes;
  flow.destination = address(destination).bytes;
  flow.family = address(source).is_ipv4() ? 4 : 6;
  flow.protocol = protocol;
  flow.ttl = 64;
  flow.length = 84;
  return flow;
}

inline dpt_flow icmp(std::string_view source, std::string_view destination, std::uint8_t type,
                     std::uint16_t id, std::uint32_t sequence) {
  dpt_flow result = flow(source, destination, source.find(':') == source.npos ? 1 : 58);
  result.l4.icmp.type = type;
  result.l4.icmp.id = id;
  result.sequence = sequence;
  return result;
}

inline dpt_flow tcp(std::string_view source, std::uint16_t source_port,
                    std::string_view destination, std::uint16_t destination_port,
                    std::uint8_t flags, std::uint32_t sequence, std::uint32_t acknowledgment) {
  dpt_flow result = flow(source, destination, 6);
  result.l4.port.source = source_port;
  result.l4.port.destination = destination_port;
  result.tcp_flags = flags;
  result.sequence = sequence;
  result.acknowledgment = acknowledgment;
  result.length = 60;
  return result;
}

inline dpt_tunnel vxlan(std::string_view source, std::string_view destination) {
  dpt_tunnel tunnel{};
  tunnel.source = address(source).bytes;
  tunnel.destination = address(destination).bytes;
  tunnel.id = 1;
  tunnel.port = 8472;
  tunnel.family = 4;
  tunnel.kind = DPT_TUNNEL_VXLAN;
  return tunnel;
}

inline dpt_tunnel ipip(std::string_view source, std::string_view destination) {
  dpt_tunnel tunnel = vxlan(source, destination);
  tunnel.id = 0;
  tunnel.port = 0;
  tunnel.kind = DPT_TUNNEL_IPIP;
  return tunnel;
}

/// A packet that is built hop by hop; each hop has the flow of the one before.
class Builder {
 public:
  explicit Builder(const dpt_flow& flow) : flow_(flow) { packet_.id = 0x2a7; }

  Builder& hop(std::uint64_t offset_ns, dpt_point point, InterfaceId interface) {
    Hop hop;
    hop.time_ns = kStart + offset_ns;
    hop.skb = 0xffff888103a4b200;
    hop.cpu = 1;
    hop.length = flow_.length + 14;
    hop.point = static_cast<std::uint8_t>(point);
    hop.interface = interface;
    hop.flow = flow_;
    packet_.hops.push_back(hop);
    return *this;
  }

  Builder& netfilter(std::uint64_t offset_ns, std::uint8_t hook, InterfaceId interface,
                     std::int32_t result = 1, std::uint64_t function = 0) {
    hop(offset_ns, DPT_POINT_NETFILTER, interface);
    packet_.hops.back().netfilter = NetfilterVerdict{
        static_cast<std::uint8_t>(flow_.family == 4 ? 2 : 10), hook, result, function};
    return *this;
  }

  /// Changes the last hop's flow, and that of those to come.
  Builder& now(const dpt_flow& flow) {
    flow_ = flow;
    packet_.hops.back().flow = flow;
    packet_.hops.back().new_flow = true;
    return *this;
  }

  Builder& in(const dpt_tunnel& tunnel) {
    packet_.hops.back().tunnel = tunnel;
    return *this;
  }

  Builder& dropped(std::uint64_t offset_ns, InterfaceId interface,
                   std::optional<std::uint32_t> reason, std::uint64_t location) {
    Drop drop;
    drop.time_ns = kStart + offset_ns;
    drop.location = location;
    drop.reason = reason;
    drop.interface = interface;
    drop.stack = {location, kIpRcv};
    packet_.drop = drop;
    return end(Verdict::kDropped);
  }

  Builder& end(Verdict verdict) {
    packet_.verdict = verdict;
    return *this;
  }

  operator Packet() const { return packet_; }

 private:
  dpt_flow flow_;
  Packet packet_;
};

inline Packet ping_across_nodes() {
  const dpt_tunnel tunnel = vxlan("10.162.0.7", "10.162.0.6");
  return Builder(icmp("10.244.1.2", "10.244.2.3", 8, 11493, 1))
      .hop(0, DPT_POINT_DEVICE_TRANSMIT, kClientEth0)
      .hop(1200, DPT_POINT_TC_INGRESS, kVeth)
      .hop(3100, DPT_POINT_TC_INGRESS, kCni0)
      .netfilter(5200, 0, kCni0)
      .netfilter(7900, 2, kCni0)
      .netfilter(9100, 4, kFlannel)
      .hop(10400, DPT_POINT_TC_EGRESS, kFlannel)
      .netfilter(13000, 3, kUplink)
      .in(tunnel)
      .netfilter(14100, 4, kUplink)
      .in(tunnel)
      .hop(15800, DPT_POINT_TC_EGRESS, kUplink)
      .in(tunnel)
      .hop(21500, DPT_POINT_DEVICE_RECEIVE, kNode2Uplink)
      .in(tunnel)
      .hop(33300, DPT_POINT_DEVICE_TRANSMIT, kNode2Cni0)
      .hop(38100, DPT_POINT_DEVICE_RECEIVE, kWebEth0)
      .hop(57340, DPT_POINT_SOCKET, kWebEth0)
      .end(Verdict::kDelivered);
}

inline Packet forwarding_off() {
  return Builder(icmp("10.244.19.28", "10.244.6.0", 0, 11493, 1))
      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
      .hop(1900, DPT_POINT_TC_INGRESS, kCni0)
      .netfilter(2100, 0, kCni0)
      .dropped(41250, kCni0, 9, kIpError);
}

inline Packet syn_to_service() {
  return Builder(tcp("10.244.1.2", 40112, "10.96.0.10", 80, 0x02, 1234567890, 0))
      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
      .netfilter(2600, 0, kCni0)
      .now(tcp("10.244.1.2", 40112, "10.244.2.3", 8080, 0x02, 1234567890, 0))
      .netfilter(4100, 2, kCni0)
      .netfilter(6100, 4, kUplink)
      .now(tcp("10.162.0.7", 61002, "10.244.2.3", 8080, 0x02, 1234567890, 0))
      .hop(8100, DPT_POINT_TC_EGRESS, kUplink)
      .end(Verdict::kLeftNode);
}

inline Packet syn_ack_ipv6() {
  return Builder(tcp("fd00:10:244:2::3", 8080, "fd00:10:244:1::2", 40112, 0x12, 77, 1234567891))
      .hop(0, DPT_POINT_TC_INGRESS, kUplink)
      .netfilter(2600, 0, kUplink)
      .netfilter(4000, 2, kUplink, -1, kNftDoChainIpv4)
      .dropped(4100, kUplink, 6, kNftDrop);
}

inline Drop drop_at(std::uint64_t offset_ns, InterfaceId interface,
                    std::optional<std::uint32_t> reason, std::uint64_t location) {
  Drop drop;
  drop.time_ns = kStart + offset_ns;
  drop.location = location;
  drop.reason = reason;
  drop.interface = interface;
  drop.stack = {location, kIpRcv};
  return drop;
}

inline Drop segment_drop(std::uint64_t offset_ns, std::uint32_t sequence) {
  Drop drop = drop_at(offset_ns, kUplink, 6, kNftDrop);
  drop.part = Part{Part::Kind::kSegment, sequence, 1448};
  return drop;
}

/// 18 segments of which these died at the uplink, by their place.
inline Packet lost_segments(std::initializer_list<std::uint32_t> places) {
  constexpr std::uint32_t kFirst = 4294967000;  // the sequence numbers begin anew amid the packet
  Packet packet = Builder(tcp("10.244.1.2", 40112, "192.0.2.9", 80, 0x18, kFirst, 7))
                      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                      .hop(8100, DPT_POINT_TC_EGRESS, kUplink)
                      .end(Verdict::kDropped);
  packet.segments = 18;
  packet.part_kind = Part::Kind::kSegment;
  for (const std::uint32_t place : places) {
    packet.drops.push_back(segment_drop(9000 + place, kFirst + place * 1448));
  }
  packet.drop = packet.drops.front();
  if (packet.drops.size() == 1) packet.drops.clear();
  return packet;
}

/// A multicast of which one member's own firewall dropped its copy.
inline Packet multicast_with_a_lost_copy() {
  dpt_flow datagram = flow("10.244.1.2", "239.7.7.7", 17);
  datagram.l4.port = {7446, 7446};
  Packet packet = Builder(datagram)
                      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                      .hop(38100, DPT_POINT_DEVICE_RECEIVE, kWebEth0)
                      .hop(57340, DPT_POINT_SOCKET, kWebEth0)
                      .end(Verdict::kDelivered);
  packet.copies = {{kWebEth0, Verdict::kDelivered}, {kClientEth0, Verdict::kDropped}};
  packet.drops = {drop_at(41000, kClientEth0, 6, kNftDrop)};
  packet.drops[0].copy = true;
  return packet;
}

/// What an INPUT hook of the pod gave to a queue or another.
inline Packet taken_by_hook(std::uint64_t function, std::uint8_t hook = 0) {
  return Builder(icmp("10.244.1.2", "10.244.2.3", 8, 11493, 1))
      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
      .netfilter(2600, hook, kCni0, 0, function)
      .end(Verdict::kStolen);
}

/// What a loop of two nodes does to a packet: each round sent here and received back.
inline Packet loop_of(std::uint8_t rounds, std::uint8_t ttl) {
  dpt_flow echo = icmp("10.244.1.2", "10.244.9.9", 8, 11493, 1);
  echo.ttl = ttl;
  Packet packet = Builder(echo).hop(0, DPT_POINT_TC_INGRESS, kVeth).end(Verdict::kUnfinished);
  for (std::uint8_t round = 0; round < rounds; ++round) {
    echo.ttl = static_cast<std::uint8_t>(ttl - 1 - round);
    const Packet one = Builder(echo)
                           .hop(1000 + round * 100U, DPT_POINT_TC_EGRESS, kUplink)
                           .hop(1040 + round * 100U, DPT_POINT_TC_INGRESS, kUplink);
    packet.hops.insert(packet.hops.end(), one.hops.begin(), one.hops.end());
  }
  return packet;
}

}  // namespace dptrace::sample
