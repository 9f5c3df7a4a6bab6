// When the costly families of probes are let go of, and when they are wanted again.
#include <catch2/catch.hpp>

#include "capture/gearbox.hpp"

namespace dptrace {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// A node that is measured as Capture does it.
struct Node {
  Gearbox gearbox;
  bool has_pods = false;  ///< the asked-for addresses are of pods that have doorbells
  std::uint64_t now = 1000 * kSecond;
  std::uint32_t packets = 0xffff0000;  // soon wraps around

  explicit Node(std::uint64_t busy = Gearbox::kBusy) : gearbox(busy) {}

  void pass(unsigned seconds, std::uint32_t rate) {
    for (; seconds > 0; --seconds) {
      if (gearbox.is_due(now)) {
        gearbox.measure(now, packets);
        if (gearbox.wants_doorbells()) gearbox.set_doorbells(now, has_pods);
      }
      gearbox.gear(now);
      now += kSecond;
      packets += rate;
    }
  }

  Gear gear() { return gearbox.gear(now); }
};

TEST_CASE("everything is attached from the start, and stays so on a node that is not busy") {
  Node node;
  CHECK(node.gear() == Gear::kArmed);
  node.pass(600, Gearbox::kBusy - 1);
  CHECK(node.gear() == Gear::kArmed);
}

TEST_CASE("a node is busy from its rate on, and no more below half of it") {
  Node node;
  CHECK_FALSE(node.gearbox.is_busy());
  node.pass(10, Gearbox::kBusy - 1);
  CHECK_FALSE(node.gearbox.is_busy());
  node.pass(11, Gearbox::kBusy);
  CHECK(node.gearbox.is_busy());
  node.pass(11, Gearbox::kBusy / 2);
  CHECK(node.gearbox.is_busy());
  node.pass(11, Gearbox::kBusy / 2 - 1);
  CHECK_FALSE(node.gearbox.is_busy());
}

TEST_CASE(
    "the probes of rules are felt at a fifth of that rate, and no more below half of the fifth") {
  constexpr std::uint64_t kFelt = Gearbox::kBusy / Gearbox::kRulesShare;
  Node node;
  node.pass(11, kFelt - 1);
  CHECK_FALSE(node.gearbox.is_busy_for_rules());
  node.pass(11, kFelt);
  CHECK(node.gearbox.is_busy_for_rules());
  CHECK_FALSE(node.gearbox.is_busy());
  node.pass(11, kFelt / 2);
  CHECK(node.gearbox.is_busy_for_rules());
  node.pass(11, kFelt / 2 - 1);
  CHECK_FALSE(node.gearbox.is_busy_for_rules());
}

TEST_CASE(
    "on a busy node the costly families go after half a minute in which nothing is followed") {
  Node node;
  node.pass(30, Gearbox::kBusy);
  CHECK(node.gear() == Gear::kArmed);
  node.pass(10, Gearbox::kBusy);
  CHECK(node.gear() == Gear::kWatching);

  SECTION("they are back as soon as something is followed, and for half a minute") {
    node.gearbox.follow(node.now);
    CHECK(node.gear() == Gear::kArmed);
    node.pass(29, Gearbox::kBusy);
    CHECK(node.gear() == Gear::kArmed);
    node.pass(10, Gearbox::kBusy);
    CHECK(node.gear() == Gear::kWatching);
  }
  SECTION("they are back when the node is idle, not when it is a little less busy") {
    node.pass(20, Gearbox::kBusy - Gearbox::kBusy / 4);
    CHECK(node.gear() == Gear::kWatching);
    node.pass(20, Gearbox::kBusy / 4);
    CHECK(node.gear() == Gear::kArmed);
  }
}

TEST_CASE("with a doorbell for each asked-for address, devices are only looked at now and then") {
  Node node;
  node.has_pods = true;
  node.pass(35, Gearbox::kBusy);
  CHECK(node.gear() == Gear::kAlways);
  const auto peek_ns = node.gearbox.wakes_ns();
  CHECK(peek_ns > node.now);
  CHECK(peek_ns <= node.now + Gearbox::kPeekEveryNs);

  SECTION("a peek is as long as all others, also one that begins late") {
    const auto late_ns = peek_ns + 3 * kSecond;
    CHECK(node.gearbox.gear(late_ns) == Gear::kWatching);
    CHECK(node.gearbox.wakes_ns() == late_ns + Gearbox::kPeekNs);
    CHECK(node.gearbox.gear(late_ns + Gearbox::kPeekNs - 1) == Gear::kWatching);
    CHECK(node.gearbox.gear(late_ns + Gearbox::kPeekNs) == Gear::kAlways);
    CHECK(node.gearbox.wakes_ns() == late_ns + Gearbox::kPeekEveryNs);
  }
  SECTION("they are watched again as soon as a doorbell is in doubt") {
    node.gearbox.set_doorbells(node.now, false);
    CHECK(node.gear() == Gear::kWatching);
    CHECK(node.gearbox.wakes_ns() <= node.now + Gearbox::kMeasureNs);
    node.pass(8, Gearbox::kBusy);
    CHECK(node.gear() == Gear::kAlways);
  }
  SECTION("a doubt that is settled wakes nobody") {
    node.has_pods = false;
    node.gearbox.set_doorbells(node.now, false);
    node.pass(8, Gearbox::kBusy);
    CHECK(node.gear() == Gear::kWatching);
    CHECK(node.gearbox.wakes_ns() > node.now + Gearbox::kMeasureNs);
  }
  SECTION("everything is back when something is followed") {
    node.gearbox.follow(node.now);
    CHECK(node.gear() == Gear::kArmed);
    node.pass(29, Gearbox::kBusy);
    CHECK(node.gear() == Gear::kArmed);
  }
  SECTION("everything is back when the node is idle") {
    node.pass(20, 0);
    CHECK(node.gear() == Gear::kArmed);
  }
}

TEST_CASE("doorbells let nothing go while all is wanted") {
  Node node;
  node.gearbox.set_doorbells(node.now, true);
  CHECK(node.gear() == Gear::kArmed);
}

TEST_CASE("an idle node is not woken to be measured, but once in half a minute") {
  Node node;
  node.pass(600, 1);
  CHECK(node.gearbox.wakes_ns() >= node.now + Gearbox::kQuietNs - Gearbox::kMeasureNs - kSecond);
}

TEST_CASE("while something is followed all stays attached, however busy the node is") {
  Node node;
  for (int i = 0; i < 60; ++i) {
    node.gearbox.follow(node.now);
    node.pass(10, 1'000'000);
    CHECK(node.gear() == Gear::kArmed);
  }
}

TEST_CASE("a CPU that goes with its count makes no node busy") {
  Node node;
  node.pass(60, 100);
  node.packets -= 5'000'000;
  node.pass(60, 100);
  CHECK(node.gear() == Gear::kArmed);
}

TEST_CASE("--armed: nothing is ever let go of, nor measured") {
  Node node(0);
  CHECK_FALSE(node.gearbox.is_due(node.now));
  CHECK(node.gearbox.wakes_ns() == UINT64_MAX);
  node.pass(600, 1'000'000);
  CHECK(node.gear() == Gear::kArmed);
}

}  // namespace
}  // namespace dptrace
