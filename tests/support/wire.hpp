// Events as the BPF programs would write them, for tests that have no kernel.
#pragma once

#include <netinet/in.h>

#include <string_view>
#include <utility>

#include "model/address.hpp"
#include "model/event.hpp"

namespace dptrace::test {

inline constexpr std::uint64_t kMicrosecond = 1'000;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kSecond = 1'000'000'000;

inline dpt_address address(std::string_view text) { return Address::parse(text).value().bytes; }

inline dpt_flow echo_request(std::uint16_t sequence) {
  dpt_flow flow{};
  flow.source = address("10.244.19.28");
  flow.destination = address("10.244.6.2");
  flow.family = 4;
  flow.protocol = IPPROTO_ICMP;
  flow.ttl = 64;
  flow.length = 84;
  flow.l4.icmp = {8, 0, 11493};
  flow.sequence = sequence;
  return flow;
}

inline dpt_flow udp(std::uint16_t source_port, std::uint32_t length) {
  dpt_flow flow = echo_request(0);
  flow.protocol = IPPROTO_UDP;
  flow.length = length;
  flow.l4.port = {source_port, 53};
  return flow;
}

inline dpt_flow tcp(std::uint32_t sequence, std::uint32_t payload) {
  dpt_flow flow = echo_request(0);
  flow.protocol = IPPROTO_TCP;
  flow.length = 40 + payload;
  flow.l4.port = {40000, 80};
  flow.sequence = sequence;
  flow.tcp_flags = 0x10;
  return flow;
}

// From the other end of the same connection.
inline dpt_flow tcp_back(std::uint32_t sequence, std::uint32_t payload) {
  dpt_flow flow = tcp(sequence, payload);
  std::swap(flow.source, flow.destination);
  std::swap(flow.l4.port.source, flow.l4.port.destination);
  return flow;
}

struct Where {
  std::uint64_t time_ns;
  std::uint8_t point;
  std::uint32_t netns;
  std::uint32_t ifindex;
  std::uint64_t skb = 0xffff888000000100;
  std::uint32_t cpu = 0;
};

inline dpt_hop hop(const Where& where, const dpt_flow& flow, std::uint64_t key) {
  dpt_hop hop{};
  hop.event = {DPT_EVENT_HOP, sizeof(dpt_hop), where.cpu, where.time_ns};
  hop.skb = where.skb;
  hop.key = key;
  hop.netns = where.netns;
  hop.ifindex = where.ifindex;
  hop.length = flow.length;
  hop.point = where.point;
  hop.flags = DPT_HOP_MATCHES;
  hop.flow = flow;
  return hop;
}

inline dpt_drop drop(Where where, const dpt_flow& flow, std::uint64_t key, std::uint64_t location,
                     std::uint32_t reason) {
  where.point = DPT_POINT_DROP;
  dpt_drop drop{};
  drop.hop = hop(where, flow, key);
  drop.hop.event.kind = DPT_EVENT_DROP;
  drop.hop.event.size = sizeof(dpt_drop);
  drop.location = location;
  drop.reason = reason;
  drop.has_reason = 1;
  return drop;
}

inline dpt_netfilter netfilter(Where where, const dpt_flow& flow, std::uint64_t key,
                               std::uint8_t hook, int result) {
  where.point = DPT_POINT_NETFILTER;
  dpt_netfilter record{};
  record.hop = hop(where, flow, key);
  record.hop.event.kind = DPT_EVENT_NETFILTER;
  record.hop.event.size = sizeof(dpt_netfilter);
  record.hook = hook;
  record.family = 2;
  record.result = result;
  return record;
}

// The rule behind the drop of `skb` at `time_ns`.
inline dpt_rule rule(std::uint64_t time_ns, std::uint64_t skb, std::uint64_t key) {
  dpt_rule record{};
  record.event = {DPT_EVENT_RULE, sizeof record, 0, time_ns};
  record.skb = skb;
  record.key = key;
  record.ruleset = DPT_RULESET_XTABLES;
  record.family = 2;
  record.table = 0xffff888100000100;
  record.revision = 0xffff888100000200;
  record.table_name[0] = 'f';
  record.path_length = 2;
  record.path[0] = 4;
  record.path[1] = 7;
  return record;
}

}  // namespace dptrace::test
