#include <catch2/catch.hpp>
#include <mutex>

#include "explain/cause.hpp"
#include "explain/explainer.hpp"
#include "os/clock.hpp"

using namespace dptrace;

namespace {

constexpr std::uint64_t kIpError = 0xffffffff81000010;
constexpr std::uint64_t kHookSlow = 0xffffffff81000200, kConntrackIn = 0xffffffff81000300;
constexpr std::uint32_t kNoRoutes = 70, kByNetfilter = 11;

Names names_of_node() {
  Names names;
  names.home_netns = 1;
  names.symbols[kIpError] = {"ip_error", kIpError - 0x10};
  names.symbols[kHookSlow] = {"nf_hook_slow", kHookSlow - 0xaa};
  names.symbols[kConntrackIn] = {"ipv4_conntrack_in", kConntrackIn};
  names.reasons[kNoRoutes] = "IP_INNOROUTES";
  names.reasons[kByNetfilter] = "NETFILTER_DROP";
  return names;
}

dpt_drop dropped(std::uint8_t last_byte, std::uint64_t location = kIpError) {
  dpt_drop drop{};
  drop.hop.event = {DPT_EVENT_DROP, sizeof drop, 0, monotonic_ns()};
  drop.hop.netns = 1;
  drop.hop.ifindex = 4;
  drop.hop.flow.family = 4;
  drop.hop.flow.destination = Address::parse("10.9.9.9")->bytes;
  drop.hop.flow.destination.bytes[15] = last_byte;
  drop.hop.flow.ttl = 63;
  drop.location = location;
  drop.reason = kNoRoutes;
  drop.has_reason = 1;
  return drop;
}

DropId id_of(const dpt_drop& drop) {
  return {drop.hop.event.time_ns, drop.hop.netns, drop.hop.ifindex};
}

dpt_drop dropped_by_hook(std::uint64_t skb) {
  dpt_drop drop = dropped(1, kHookSlow);
  drop.reason = kByNetfilter;
  drop.hop.skb = skb;
  return drop;
}

dpt_netfilter hook_of(const dpt_drop& drop, std::uint64_t function) {
  dpt_netfilter record{};
  record.hop.event = {DPT_EVENT_NETFILTER, sizeof record, 0, drop.hop.event.time_ns};
  record.hop.skb = drop.hop.skb;
  record.function = function;
  record.result = -1;
  return record;
}

dpt_flow& tcp(dpt_drop& drop, std::uint8_t flags) {
  dpt_flow& flow = drop.hop.flow;
  flow.protocol = 6;
  flow.tcp_flags = flags;
  flow.l4.port.source = 40000;
  flow.l4.port.destination = 80;
  return flow;
}

DropFacts followed(const dpt_drop& drop, std::string decided_by, const Names& names) {
  DropFacts facts = drop_facts(drop, names);
  add_ends(facts, drop);
  facts.decided_by = std::move(decided_by);
  leave_out_ends(facts);
  return facts;
}

// A node that says of every drop that no route is there, when the test lets it.
class Node {
 public:
  using Answers = Result<Explainer::Answers>;

  Explainer::Begin begin() {
    return [this](std::uint32_t netns, Explainer::Questions asked) {
      CHECK(netns == 1);
      ++visits;
      questions += asked.size();
      return Inquiry<Answers>::begin([gate = gate_, count = asked.size()]() -> Answers {
        const std::scoped_lock wait(*gate);
        const Explanation answer{"no-route", "no route", {"a fact"}, {}};
        return Explainer::Answers{std::vector(count, answer), 0};
      });
    };
  }
  std::unique_lock<std::mutex> hold() { return std::unique_lock(*gate_); }

  int visits = 0;
  std::size_t questions = 0;

 private:
  std::shared_ptr<std::mutex> gate_ = std::make_shared<std::mutex>();
};

}  // namespace

TEST_CASE("drops that ask the same have one answer") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  std::vector<dpt_drop> drops;
  {
    const auto held = node.hold();
    for (int i = 0; i < 1000; ++i) {
      drops.push_back(dropped(1));
      drops.back().hop.flow.ttl = static_cast<std::uint8_t>(2 + i % 60);
      drops.back().hop.flow.length = static_cast<std::uint32_t>(i);
      explainer.see(drops.back());
    }
    CHECK(explainer.awaited_since() == drops.front().hop.event.time_ns);
    CHECK(names.explanations.empty());
  }
  explainer.finish();
  CHECK(explainer.awaited_since() == kLatest);
  // The first was asked about at once, all others together: what was read before them may be no
  // more.
  CHECK(node.visits == 2);
  CHECK(node.questions == 2);
  for (const auto& drop : drops) {
    REQUIRE(names.explanation(id_of(drop)) != nullptr);
    CHECK(names.explanation(id_of(drop))->cause == "no-route");
  }
}

TEST_CASE("drops that ask something else are asked about together, and there is an end to it") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  {
    const auto held = node.hold();
    for (int i = 0; i < 1000; ++i) {
      dpt_drop drop = dropped(static_cast<std::uint8_t>(i));
      drop.hop.flow.destination.bytes[14] = static_cast<std::uint8_t>(i / 256);
      explainer.see(drop);
    }
  }
  explainer.finish();
  CHECK(node.visits == 2);
  CHECK(node.questions == 1 + 256);
  CHECK(names.explanations.size() == 1 + 256);
}

TEST_CASE("what no cause may be behind is unknown at once") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  const auto drop = dropped(1, 0x1234);
  explainer.see(drop);
  CHECK(node.visits == 0);
  REQUIRE(names.explanation(id_of(drop)) != nullptr);
  CHECK(*names.explanation(id_of(drop)) == unexplained());
}

TEST_CASE("an answer that does not come leaves a drop without an explanation") {
  Names names = names_of_node();
  Explainer explainer(
      names, [](std::uint32_t, const Explainer::Questions&) -> Result<Inquiry<Node::Answers>> {
        return failure("too busy");
      });
  const auto drop = dropped(1);
  explainer.see(drop);
  explainer.finish();
  CHECK(names.explanation(id_of(drop)) == nullptr);
}

TEST_CASE("what left is asked about once with what is like it, and leaves room for drops") {
  Names names = names_of_node();
  names.interfaces[{1, 4}] = {{1, 4}, "eth0", "device", Role::kUplink, 1500, 0, 0};
  names.pods[*Address::parse("10.9.9.9")] = "default/pod1";
  Node node;
  Explainer explainer(names, node.begin());
  dpt_hop left = dropped(1).hop;
  left.point = DPT_POINT_DEVICE_TRANSMIT;
  left.iif = 5;
  left.flow.source = Address::parse("10.9.9.9")->bytes;
  left.flow.protocol = 6;
  left.flow.tcp_flags = 0x02;
  {
    const auto held = node.hold();
    for (int i = 0; i < 10'000; ++i) CHECK(explainer.see(left));
    for (int i = 0; i < 1000; ++i) {
      left.flow.destination.bytes[14] = static_cast<std::uint8_t>(i / 256);
      left.flow.destination.bytes[15] = static_cast<std::uint8_t>(i);
      explainer.see(left);
    }
    for (int i = 0; i < 1000; ++i) explainer.see(dropped(static_cast<std::uint8_t>(i)));
  }
  explainer.finish();
  CHECK(node.visits == 2);
  CHECK(node.questions == 1 + 256);
  CHECK(names.explanation({left.event.time_ns, left.netns, left.ifindex}) != nullptr);
  left.flow.tcp_flags = 0x10;
  CHECK_FALSE(explainer.see(left));
}

TEST_CASE("in a tunnel the outer header is asked about") {
  const Names names = names_of_node();
  dpt_drop drop = dropped(1);
  drop.hop.tunnel.kind = DPT_TUNNEL_VXLAN;
  drop.hop.tunnel.family = 4;
  drop.hop.tunnel.port = 8472;
  drop.hop.tunnel.source = Address::parse("192.168.56.11")->bytes;
  drop.hop.tunnel.destination = Address::parse("192.168.56.12")->bytes;
  const DropFacts facts = drop_facts(drop, names);
  CHECK(facts.destination.text() == "192.168.56.12");
  CHECK(facts.port == 8472);
  CHECK(facts.ttl == 0);
  CHECK(facts.reason == "IP_INNOROUTES");
  CHECK(facts.function == "ip_error");
}

TEST_CASE("a cause is looked for only where the kernel's word lets it be") {
  const Names names = names_of_node();
  DropFacts facts = drop_facts(dropped(1), names);
  CHECK(may_have_cause(facts));
  facts.reason = "NETFILTER_DROP";
  CHECK_FALSE(may_have_cause(facts));
  facts.reason.clear();  // a kernel without reasons
  CHECK(may_have_cause(facts));
  facts.function = "nf_hook_slow";
  CHECK_FALSE(may_have_cause(facts));
}

TEST_CASE("a drop of a hook is asked about when the next record tells which function decided") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  const auto drop = dropped_by_hook(0x700), other = dropped_by_hook(0x800);
  explainer.follow(drop);
  explainer.follow(other);
  CHECK(node.visits == 0);
  CHECK(names.explanations.empty());
  CHECK(explainer.awaited_since() == drop.hop.event.time_ns);
  explainer.see(hook_of(drop, kConntrackIn));
  CHECK(node.visits == 1);
  // No cause is of a function that is not known.
  explainer.see(hook_of(other, 0));
  REQUIRE(names.explanation(id_of(other)) != nullptr);
  CHECK(*names.explanation(id_of(other)) == unexplained());
  explainer.finish();
  CHECK(names.explanation(id_of(drop))->cause == "no-route");
}

TEST_CASE("a drop of a hook does not wait for a record that is lost, and others never do") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  const auto lost = dropped_by_hook(0x700), watched = dropped_by_hook(0x900);
  explainer.see(hook_of(lost, kConntrackIn));
  explainer.follow(lost);
  explainer.see(watched);
  REQUIRE(names.explanation(id_of(watched)) != nullptr);
  CHECK(names.explanation(id_of(lost)) == nullptr);
  explainer.follow(dropped(1));
  CHECK(node.visits == 1);
  explainer.finish();
  REQUIRE(names.explanation(id_of(lost)) != nullptr);
  CHECK(names.explanation(id_of(lost))->cause == "unknown");
  CHECK(explainer.awaited_since() == kLatest);
}

TEST_CASE("what is held until a record comes has a bound, and what is beyond it does not wait") {
  Names names = names_of_node();
  Node node;
  Explainer explainer(names, node.begin());
  for (std::uint64_t i = 0; i < HeldDrops::kMost; ++i) explainer.follow(dropped_by_hook(i));
  CHECK(names.explanations.empty());
  const auto beyond = dropped_by_hook(HeldDrops::kMost);
  explainer.follow(beyond);
  CHECK(names.explanation(id_of(beyond)) != nullptr);
}

TEST_CASE("the ends of a connection are asked about where a cause looks for it") {
  const Names names = names_of_node();
  constexpr std::uint8_t kSyn = 2, kRst = 4, kAck = 16;
  dpt_drop drop = dropped_by_hook(1);
  tcp(drop, kAck);
  CHECK(followed(drop, "", names).source_port == 40000);
  CHECK(followed(drop, "nft_do_chain_ipv4", names).source_port == 40000);
  CHECK(followed(drop, "ipv4_conntrack_in", names).source_port == 0);
  CHECK(followed(drop, "nf_confirm", names).source_port == 0);
  CHECK(may_have_cause(followed(drop, "", names)));
  CHECK_FALSE(may_have_cause(followed(drop, "nf_confirm", names)));
  CHECK(may_have_cause(followed(drop, "ipv6_conntrack_local", names)));
  tcp(drop, kSyn | kAck);
  CHECK(followed(drop, "iptable_filter_hook", names).source_port == 40000);
  tcp(drop, kRst);
  CHECK(followed(drop, "ipt_do_table", names).source_port == 40000);
  // Whoever is refused a connection asks from ever new ports.
  tcp(drop, kSyn);
  CHECK(followed(drop, "ipt_do_table", names).source_port == 0);
  CHECK(followed(drop, "nf_confirm", names).source_port == 40000);
  CHECK_FALSE(may_have_cause(followed(drop, "ipt_do_table", names)));
  drop.hop.tunnel.kind = DPT_TUNNEL_VXLAN;
  drop.hop.tunnel.family = 4;
  CHECK(followed(drop, "nf_confirm", names).source_port == 0);
}
