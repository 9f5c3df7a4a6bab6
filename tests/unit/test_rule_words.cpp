#include "support/printed.hpp"
#include "words/rule_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

DecidingRule by_calico() {
  DecidingRule rule;
  rule.netns = 1;
  rule.ruleset = DPT_RULESET_XTABLES;
  rule.family = 2;
  rule.hook = 2;
  rule.table = 5;
  rule.revision = 6;
  rule.table_name = "filter";
  rule.path = {10, 11, 20, 33};
  rule.path_is_whole = true;
  return rule;
}

Names with_rules(const DecidingRule& rule) {
  Names all = names();
  all.rules[rule.id(10)] = {"FORWARD", 1, "-j LOG", "", false};
  all.rules[rule.id(11)] = {"FORWARD", 2, "-j cali-FORWARD", "cali-FORWARD", false};
  all.rules[rule.id(20)] = {"cali-FORWARD", 4, "-i cali+ -j cali-fw-a", "cali-fw-a", false};
  all.rules[rule.id(33)] = {
      "cali-fw-a", 3, "-m comment --comment \"Drop if no profiles matched\" -j DROP", "", false};
  return all;
}

Packet dropped_by(const DecidingRule& rule) {
  Packet packet = lost_segments({3});
  packet.drop->rule = rule;
  return packet;
}

std::string json_of(const Packet& packet, const Names& names) {
  CollectingSink sink;
  make_json_output(sink, {})->packet(packet, names);
  return sink.text;
}

}  // namespace

TEST_CASE("the rule that dropped is told below the drop, with the jumps that led to it") {
  const auto rule = by_calico();
  CHECK(contains(end_of(dropped_by(rule), with_rules(rule)),
                 "    by    iptables filter, chain cali-fw-a, rule 3\n"
                 "          -m comment --comment \"Drop if no profiles matched\" -j DROP\n"
                 "    path  FORWARD 2 → cali-FORWARD 4 → cali-fw-a 3\n"));
}

TEST_CASE("in JSON the rule has table, chain, number and text, and the path of jumps") {
  const auto rule = by_calico();
  CHECK(contains(json_of(dropped_by(rule), with_rules(rule)),
                 R"("rule":{"family":"ipv4","hook":"FORWARD","table":"filter","chain":"cali-fw-a",)"
                 R"("rule_number":3,"rule":"-m comment --comment \"Drop if no profiles matched\" )"
                 R"(-j DROP","verdict":"drop"},"path":[{"chain":"FORWARD","rule_number":2,)"));
}

TEST_CASE("a rule whose text is not known is told by its place in the table") {
  CHECK(contains(end_of(dropped_by(by_calico())),
                 "by    iptables filter, the table's rule 34, all chains counted\n"));
}

TEST_CASE("rules that were changed before they were read are said to be") {
  const auto rule = by_calico();
  Names all = names();
  all.rules[rule.id(33)].changed = true;
  CHECK(contains(end_of(dropped_by(rule), all), "the rules were changed since\n"));
  CHECK(contains(json_of(dropped_by(rule), all), R"("rules_changed":true)"));
}

TEST_CASE("a policy is told as that of its chain") {
  auto rule = by_calico();
  rule.flags = DPT_RULE_POLICY;
  rule.path = {10, 14};
  Names all = with_rules(rule);
  all.rules[rule.id(14)] = {"FORWARD", 0, "policy DROP", "", false};
  CHECK(contains(end_of(dropped_by(rule), all),
                 "by    iptables filter, policy of chain FORWARD\n          policy DROP\n"));
  CHECK(contains(json_of(dropped_by(rule), all),
                 R"("chain":"FORWARD","policy":true,"rule":"policy DROP","verdict":"drop"})"));
}

TEST_CASE("a rule of nftables is told by its handle, its policy by its chain") {
  DecidingRule rule = by_calico();
  rule.ruleset = DPT_RULESET_NFTABLES;
  rule.family = 1;
  rule.flags = DPT_RULE_REJECTED;
  rule.table_name = "fw";
  rule.chain = "svc";
  rule.chain_handle = 2;
  rule.path = {6};
  Names all = names();
  all.rules[rule.id(6)] = {"svc", 1, "tcp dport 83 reject", "", false};
  CHECK(contains(end_of(dropped_by(rule), all),
                 "by    nftables inet fw, chain svc, rule handle 6\n"
                 "          tcp dport 83 reject\n"));
  CHECK(contains(
      json_of(dropped_by(rule), all),
      R"("rule_handle":6,"rule_number":1,"rule":"tcp dport 83 reject","verdict":"reject")"));
  rule.path = {4, 6};
  rule.path_is_whole = true;
  CHECK(contains(end_of(dropped_by(rule), all), "path  (not known) 4 → svc 6\n"));
  all.rules[rule.id(4)] = {"input", 2, "tcp dport 83 jump svc", "", false};
  CHECK(contains(end_of(dropped_by(rule), all), "path  input 4 → svc 6\n"));
  rule.flags = DPT_RULE_POLICY;
  rule.path = {};
  CHECK(contains(end_of(dropped_by(rule)), "by    nftables inet fw, policy of chain svc\n"));
}

TEST_CASE("where two rules are possible, both are told") {
  auto rule = by_calico();
  rule.flags = DPT_RULE_ONE_OF;
  rule.path = {11, 33};
  const std::string text = end_of(dropped_by(rule), with_rules(rule));
  CHECK(contains(text, "by one of  iptables filter, chain FORWARD, rule 2\n"));
  CHECK(contains(text, "chain cali-fw-a, rule 3\n"));
  CHECK(contains(json_of(dropped_by(rule), with_rules(rule)), R"("one_of":[{"chain":"FORWARD")"));
}

TEST_CASE("rules that jump in a circle do not keep the way from ending") {
  auto rule = by_calico();
  Names all = names();
  all.rules[rule.id(10)] = {"a", 1, "", "b", false};
  all.rules[rule.id(33)] = {"b", 1, "", "a", false};
  CHECK(way_to(rule, all) == std::vector<std::uint64_t>{10, 33});
}

TEST_CASE(
    "a drop of a hook function that runs no rules is told as that of its part of the kernel") {
  const Packet packet = Builder(tcp("10.244.1.2", 40112, "192.0.2.9", 80, 2, 1, 0))
                            .netfilter(0, 0, kVeth, -1, 7)
                            .dropped(100, kVeth, 6, kIpRcv);
  Names all = names();
  const auto by = [&](const char* function) {
    all.symbols[7] = {function, 7};
    return end_of(packet, all);
  };
  CHECK(contains(by("ipv4_conntrack_in"), "    by    connection tracking (ipv4_conntrack_in)\n"));
  CHECK(contains(by("nf_confirm"), "    by    connection tracking (nf_confirm)\n"));
  CHECK(contains(by("ipv6_defrag"), "    by    reassembly of fragments (ipv6_defrag)\n"));
  CHECK(contains(by("ip_vs_in_hook"), "    by    IPVS (ip_vs_in_hook)\n"));
  CHECK(contains(by("nft_do_chain_inet"),
                 "    by    a rule of nftables (nft_do_chain_inet), which one is not known\n"));
  CHECK_FALSE(contains(by("somebodys_hook"), "    by    "));
}

TEST_CASE("what the rule means to its owner is told below it, and is the explanation in JSON") {
  const auto rule = by_calico();
  Names all = with_rules(rule);
  all.rules[rule.id(33)] = {"KUBE-SERVICES", 3,
                            "-m comment --comment \"default/a has no local endpoints\" -j DROP", "",
                            false};
  const std::string words = "kube-proxy: service default/a has no endpoints on this node";
  CHECK(contains(end_of(dropped_by(rule), all), "-j DROP\n          → " + words + "\n"));
  CHECK(contains(json_of(dropped_by(rule), all), R"("explanation":")" + words + '"'));
  CHECK_FALSE(contains(json_of(dropped_by(rule), with_rules(rule)), "kube-proxy"));
}
