#include "support/printed.hpp"
#include "words/cause_words.hpp"
#include "words/netns_command.hpp"
#include "words/rule_fix.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

Packet packet_with(const Explanation& explanation, Names& names) {
  Packet packet = lost_segments({3});
  names.explanations[packet.drop->id()] = std::make_shared<Explanation>(explanation);
  return packet;
}

std::string json_of(const Packet& packet, const Names& names) {
  CollectingSink sink;
  make_json_output(sink, {})->packet(packet, names);
  return sink.text;
}

DecidingRule rule_of(std::uint8_t ruleset) {
  DecidingRule rule;
  rule.netns = 1;
  rule.ruleset = ruleset;
  rule.family = 2;
  rule.table = 5;
  rule.revision = 6;
  rule.table_name = "filter";
  rule.path = {33};
  rule.path_is_whole = true;
  return rule;
}

dpt_flow http() {
  dpt_flow flow{};
  flow.family = 4;
  flow.protocol = 6;
  flow.source = Address::parse("10.1.1.2")->bytes;
  flow.destination = Address::parse("10.1.2.3")->bytes;
  flow.l4.port.destination = 80;
  return flow;
}

}  // namespace

TEST_CASE("why a packet died is told with what proves it and what mends it") {
  Names all = names();
  const Packet packet = packet_with({"forwarding-disabled",
                                     "cni0 does not forward IPv4 packets",
                                     {"net.ipv4.conf.cni0.forwarding = 0"},
                                     {"sysctl -w net.ipv4.conf.cni0.forwarding=1"}},
                                    all);
  all.home_netns = packet.drop->interface.netns;
  CHECK(
      contains(end_of(packet, all),
               "    why   cni0 does not forward IPv4 packets (net.ipv4.conf.cni0.forwarding = 0)\n"
               "    fix   sysctl -w net.ipv4.conf.cni0.forwarding=1\n"));
  CHECK(contains(
      json_of(packet, all),
      R"("cause":"forwarding-disabled","explanation":"cni0 does not forward IPv4 packets",)"
      R"("evidence":["net.ipv4.conf.cni0.forwarding = 0"],)"
      R"("fix":["sysctl -w net.ipv4.conf.cni0.forwarding=1"])"));
}

TEST_CASE("a command for the netns at the other end enters that one") {
  Names all = names();
  Explanation explanation{"no-carrier", "veth1 is down", {}, {"ip link set veth1 up"}};
  explanation.fix_netns = 77;
  const Packet packet = packet_with(explanation, all);
  all.home_netns = packet.drop->interface.netns;
  CHECK(explanation_of(packet, *packet.drop, all)->fix.empty());
  all.netns[77].path = "/run/netns/node";
  CHECK(explanation_of(packet, *packet.drop, all)->fix ==
        std::vector<std::string>{"ip netns exec node ip link set veth1 up"});
}

TEST_CASE("what nothing proves is unknown, and has no words") {
  Names all = names();
  const Packet packet = packet_with({"unknown", {}, {}, {}}, all);
  CHECK_FALSE(contains(end_of(packet, all), "why"));
  CHECK(contains(json_of(packet, all), R"("cause":"unknown")"));
  CHECK_FALSE(contains(json_of(packet, all), "evidence"));
}

TEST_CASE("what was never asked has no cause") {
  CHECK_FALSE(contains(json_of(lost_segments({3}), names()), "cause"));
}

TEST_CASE("a free that is no loss has no cause") {
  Names all = names();
  Packet packet = packet_with({"no-listener", "nothing listens", {}, {}}, all);
  packet.drop->loss = false;
  CHECK_FALSE(explanation_of(packet, *packet.drop, all));
}

TEST_CASE("a command enters the netns that it is for, or is not told") {
  Names all = names();
  all.home_netns = 1;
  all.netns[2].path = "/run/netns/cni-1";
  all.netns[3].path = "/proc/4711/ns/net";
  all.netns[4].path = "/run/netns/a b";
  CHECK(netns_command(1, kLatest, all) == "");
  CHECK(netns_command(2, kLatest, all) == "ip netns exec cni-1 ");
  CHECK(netns_command(3, kLatest, all) == "nsenter --net=/proc/4711/ns/net ");
  CHECK(netns_command(4, kLatest, all) == "ip netns exec 'a b' ");
  CHECK_FALSE(netns_command(5, kLatest, all));
}

TEST_CASE("the words of a saved rule are taken out of their quotes") {
  using Words = std::vector<std::string>;
  CHECK(saved_words("-p tcp -j DROP") == Words{"-p", "tcp", "-j", "DROP"});
  CHECK(saved_words(R"(--comment "a \"b\" \\ c" -j DROP)") ==
        Words{"--comment", R"(a "b" \ c)", "-j", "DROP"});
  CHECK(saved_words("").empty());
}

TEST_CASE(
    "a rule of nobody known is deleted by what it says, and nothing in it reaches the shell") {
  const auto rule = rule_of(DPT_RULESET_XTABLES);
  Names all = names();
  all.rules[rule.id(33)] = {"FORWARD", 3, R"(-m comment --comment "$(reboot) it's" -j DROP)", "",
                            false};
  CHECK(rule_fix(rule, http(), all) ==
        R"(iptables-legacy -t filter -D FORWARD -m comment --comment '$(reboot) it'\''s' -j DROP)");
}

TEST_CASE("a rule of nftables is deleted by its handle, but not a map of verdicts") {
  const auto rule = rule_of(DPT_RULESET_NFTABLES);
  Names all = names();
  all.rules[rule.id(33)] = {"input", 0, "tcp dport 80 drop", "", false};
  CHECK(rule_fix(rule, http(), all) == "nft delete rule ip filter input handle 33");
  all.rules[rule.id(33)].text = "tcp dport vmap { 80 : drop }";
  CHECK_FALSE(rule_fix(rule, http(), all));
}

TEST_CASE("a policy is left as it is: packets like this one are accepted before it") {
  auto rule = rule_of(DPT_RULESET_XTABLES);
  rule.flags = DPT_RULE_POLICY;
  Names all = names();
  all.rules[rule.id(33)] = {"FORWARD", 0, "policy DROP", "", false};
  CHECK(rule_fix(rule, http(), all) ==
        "iptables-legacy -t filter -I FORWARD -s 10.1.1.2 -d 10.1.2.3 -p tcp --dport 80 -j ACCEPT");
  auto nft = rule_of(DPT_RULESET_NFTABLES);
  nft.flags = DPT_RULE_POLICY;
  nft.chain_handle = 33;
  all.rules[nft.id(33)] = {"FORWARD", 0, "policy drop", "", false};
  CHECK(
      rule_fix(nft, http(), all) ==
      "nft insert rule ip filter FORWARD ip saddr 10.1.1.2 ip daddr 10.1.2.3 tcp dport 80 accept");
}

TEST_CASE("rules that others write again, and rules that are not certain, are not deleted") {
  auto rule = rule_of(DPT_RULESET_XTABLES);
  Names all = names();
  CHECK_FALSE(rule_fix(rule, http(), all));
  all.rules[rule.id(33)] = {"cali-fw-cali1234567890a", 3,
                            "-m comment --comment \"cali:abc\" -m comment --comment \"Drop if no "
                            "profiles matched\" -j DROP",
                            "", false};
  CHECK_FALSE(rule_fix(rule, http(), all));
  all.rules[rule.id(33)] = {"FORWARD", 3, "-j DROP", "", true};
  CHECK_FALSE(rule_fix(rule, http(), all));
  all.rules[rule.id(33)].changed = false;
  CHECK(rule_fix(rule, http(), all));
  rule.flags = DPT_RULE_ONE_OF;
  CHECK_FALSE(rule_fix(rule, http(), all));
}

TEST_CASE("a command stays in one line, however long it is and whatever is in it") {
  Names all = names();
  const std::string command = "iptables-legacy -t filter -D FORWARD -m comment --comment '" +
                              std::string(60, 'x') + ", from here (or there), in all' -j DROP";
  const Packet packet = packet_with({"netfilter-rule", "a rule", {}, {command}}, all);
  all.home_netns = packet.drop->interface.netns;
  CHECK(contains(end_of(packet, all), "    fix   " + command + "\n"));
  CHECK(is_command_line("    \x1b[32mfix   \x1b[0mls"));
  CHECK_FALSE(is_command_line("    why   the fix   "));
}

namespace {

const Explanation kOfState{"conntrack-invalid",
                           "conntrack knows no connection of it, and a RST opens none",
                           {"conntrack: no entry of tcp 10.1.1.2:40000 > 10.1.2.3:80"},
                           {}};

Explanation with_rule(const std::string& text, DecidingRule rule, Explanation of_state = kOfState) {
  Names all = names();
  Packet packet = packet_with(of_state, all);
  all.home_netns = rule.netns;
  all.rules[rule.id(33)] = {"FORWARD", 3, text, "", false};
  packet.drop->rule = std::move(rule);
  return *explanation_of(packet, *packet.drop, all);
}

DecidingRule forward_rule(std::uint8_t ruleset) {
  auto rule = rule_of(ruleset);
  rule.hook = 2;
  return rule;
}

}  // namespace

TEST_CASE("what conntrack says of a segment is the cause where a rule takes what is invalid only") {
  const auto xtables = forward_rule(DPT_RULESET_XTABLES), nft = forward_rule(DPT_RULESET_NFTABLES);
  for (const auto* text :
       {"-m conntrack --ctstate INVALID -j DROP", "-m state --state INVALID -j DROP"})
    CHECK(with_rule(text, xtables).cause == "conntrack-invalid");
  CHECK(with_rule("ct state invalid counter drop", nft).cause == "conntrack-invalid");
  for (const auto* text :
       {"-m conntrack --ctstate INVALID,NEW -j DROP", "-m conntrack ! --ctstate INVALID -j DROP",
        "-j DROP", "-m comment --comment \"--ctstate INVALID\" -j DROP"})
    CHECK(with_rule(text, xtables).cause == "netfilter-rule");
  for (const auto* text :
       {"ct state invalid,new drop", "ct state != invalid drop", "ct state { invalid, new } drop",
        "ct state vmap { established : accept, invalid : drop }",
        "log prefix \"ct state invalid\" drop"})
    CHECK(with_rule(text, nft).cause == "netfilter-rule");
}

TEST_CASE("to a rule before conntrack everything is invalid, and its state proves nothing") {
  auto raw = forward_rule(DPT_RULESET_XTABLES);
  raw.table_name = "raw";
  CHECK(with_rule("-m conntrack --ctstate INVALID -j DROP", raw).cause == "netfilter-rule");
  auto early = forward_rule(DPT_RULESET_NFTABLES);
  early.hook = 0;
  CHECK(with_rule("ct state invalid drop", early).cause == "netfilter-rule");
  auto bridge = forward_rule(DPT_RULESET_NFTABLES);
  bridge.family = 7;
  CHECK(with_rule("ct state invalid drop", bridge).cause == "ebtables-rule");
}

TEST_CASE("what mends conntrack goes before the rule's deletion") {
  const std::string text = "-m conntrack --ctstate INVALID -j DROP";
  const auto rule = forward_rule(DPT_RULESET_XTABLES);
  CHECK(with_rule(text, rule).fix ==
        std::vector<std::string>{"iptables-legacy -t filter -D FORWARD " + text});
  Explanation window = kOfState;
  window.fix = {"sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1"};
  CHECK(with_rule(text, rule, window).fix == window.fix);
}

TEST_CASE("what conntrack says of a segment is no cause where no rule is known") {
  Names all = names();
  const Packet packet = packet_with(kOfState, all);
  CHECK(explanation_of(packet, *packet.drop, all)->cause == "unknown");
  CHECK_FALSE(is_explained(*packet.drop, all));
  CHECK_FALSE(contains(end_of(packet, all), "why"));
}

TEST_CASE("why a segment is invalid is told below the rule") {
  Names all = names();
  Packet packet = packet_with(kOfState, all);
  const auto rule = forward_rule(DPT_RULESET_XTABLES);
  all.rules[rule.id(33)] = {"FORWARD", 3, "-m conntrack --ctstate INVALID -j DROP", "", false};
  packet.drop->rule = rule;
  CHECK(contains(end_of(packet, all),
                 "    why   conntrack knows no connection of it, and a RST opens none\n"
                 "          (conntrack: no entry of tcp 10.1.1.2:40000 > 10.1.2.3:80)\n"));
}
