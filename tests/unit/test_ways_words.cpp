// What the words say of a packet that rules, loops and policies are about.
#include <linux/fib_rules.h>
#include <netinet/in.h>

#include <catch2/catch.hpp>

#include "node/state/policy_rule.hpp"
#include "node/state/route.hpp"
#include "words/round_words.hpp"
#include "words/rule_cause.hpp"

using namespace dptrace;

namespace {

Hop received(std::uint32_t index, std::uint8_t ttl) {
  Hop hop;
  hop.point = DPT_POINT_DEVICE_RECEIVE;
  hop.interface = {7, index};
  hop.flow.family = 4;
  hop.flow.ttl = ttl;
  return hop;
}

Names two_devices() {
  Names names;
  names.home_netns = 7;
  for (const auto& [index, name] : {std::pair{2, "eth0"}, {3, "flannel.1"}}) {
    const InterfaceId id{7, static_cast<std::uint32_t>(index)};
    names.interfaces[id] = {id, name, "veth"};
  }
  return names;
}

dpt_flow icmp(std::uint8_t protocol, std::uint8_t type, std::uint8_t code) {
  dpt_flow flow{};
  flow.family = protocol == IPPROTO_ICMP ? 4 : 6;
  flow.protocol = protocol;
  flow.l4.icmp.type = type;
  flow.l4.icmp.code = code;
  return flow;
}

PolicyQuestion packet() {
  return {*Address::parse("10.1.0.2"), *Address::parse("10.2.0.3"), "cni0", 0x17};
}

}  // namespace

TEST_CASE("a packet that comes by a device again with a smaller TTL goes in circles") {
  Packet packet;
  for (const std::uint8_t ttl : {9, 8, 7}) {
    packet.hops.push_back(received(2, ttl));
    packet.hops.push_back(received(3, ttl));
  }
  CHECK(rounds_of(packet, two_devices()) ==
        "it went in circles: it came by eth0 and flannel.1 3 times");
}

TEST_CASE("parts and copies that come by a device with the same TTL do not go in circles") {
  Packet packet;
  for (int i = 0; i < 3; ++i) packet.hops.push_back(received(2, 64));
  CHECK_FALSE(rounds_of(packet, two_devices()));
}

TEST_CASE("what a rule drops decides what its drop means") {
  DecidingRule rule;
  rule.ruleset = DPT_RULESET_XTABLES;
  rule.family = 2;
  Drop drop;
  const auto cause = [&](const dpt_flow& flow) { return rule_cause(rule, drop, flow).name; };
  CHECK(cause(icmp(IPPROTO_ICMP, 8, 0)) == "netfilter-rule");
  CHECK(cause(icmp(IPPROTO_ICMP, 3, 3)) == "netfilter-rule");
  CHECK(cause(icmp(IPPROTO_ICMP, 3, 4)) == "icmp-blackhole");
  CHECK(cause(icmp(IPPROTO_ICMPV6, 2, 0)) == "icmp-blackhole");
  // A TCP segment's ports stand where ICMP has its type.
  CHECK(cause(icmp(IPPROTO_TCP, 3, 4)) == "netfilter-rule");
  drop.tunnel.emplace();
  CHECK(cause(icmp(IPPROTO_ICMP, 8, 0)) == "tunnel-blocked");
  drop.tunnel.reset();
  rule.ruleset = DPT_RULESET_EBTABLES;
  CHECK(cause(icmp(IPPROTO_ICMP, 8, 0)) == "ebtables-rule");
}

TEST_CASE("a rule of policy routing is for the packets that all of its selectors fit") {
  PolicyRule rule;
  CHECK(is_for(rule, packet()));
  rule.source = *Address::parse("10.1.0.0");
  rule.source_length = 16;
  rule.mark = 0x10;
  rule.mask = 0xf0;
  CHECK(is_for(rule, packet()));
  rule.inverted = true;
  CHECK_FALSE(is_for(rule, packet()));
  rule.inverted = false;
  rule.input = "eth0";
  CHECK_FALSE(is_for(rule, packet()));
  rule.input = "cni0";
  CHECK(is_for(rule, packet()));
  rule.asks_more = true;
  CHECK_FALSE(is_for(rule, packet()));
}

TEST_CASE("a rule of policy routing is told as ip(8) writes it") {
  PolicyRule rule;
  rule.priority = 100;
  rule.action = FR_ACT_TO_TBL;
  rule.table = 77;
  rule.source = *Address::parse("10.1.0.0");
  rule.source_length = 16;
  rule.mark = 0x10;
  rule.mask = 0xf0;
  CHECK(policy_text(rule) == "ip rule 100: from 10.1.0.0/16 fwmark 0x10/0xf0 lookup 77");
  rule.action = FR_ACT_PROHIBIT;
  CHECK(policy_text(rule) == "ip rule 100: from 10.1.0.0/16 fwmark 0x10/0xf0 prohibit");
}

TEST_CASE("addresses agree in as many bits as they have in common") {
  const auto common = [](const char* a, const char* b) {
    return int{common_bits(*Address::parse(a), *Address::parse(b))};
  };
  CHECK(common("10.244.6.0", "10.244.7.5") == 23);
  CHECK(common("10.244.6.0", "10.244.6.0") == 32);
  CHECK(common("fd00::1", "fd00::2") == 126);
  CHECK(common("10.0.0.1", "fd00::1") == 0);
}
