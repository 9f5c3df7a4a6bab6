#include <catch2/catch.hpp>
#include <mutex>

#include "explain/cause.hpp"
#include "explain/explainer.hpp"
#include "os/clock.hpp"

using namespace dptrace;

namespace {

constexpr std::uint64_t kIpError = 0xffffffff81000010;
constexpr std::uint32_t kNoRoutes = 70;

Names names_of_node() {
  Names names;
  names.home_netns = 1;
  names.symbols[kIpError] = {"ip_error", kIpError - 0x10};
  names.reasons[kNoRoutes] = "IP_INNOROUTES";
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
