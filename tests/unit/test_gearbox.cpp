// When the costly families of probes are let go of, and when they are wanted again.
#include <catch2/catch.hpp>

#include "capture/gearbox.hpp"

namespace dptrace {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

// A node that is measured as Capture does it.
struct Node {
  Gearbox gearbox;
  std::uint64_t now = 1000 * kSecond;
  std::uint32_t packets = 0xffff0000;  // soon wraps around

  explicit Node(std::uint64_t busy = Gearbox::kBusy) : gearbox(busy) {}

  void pass(unsigned seconds, std::uint32_t rate) {
    for (; seconds > 0; --seconds) {
      if (gearbox.is_due(now)) gearbox.measure(now, packets);
      now += kSecond;
      packets += rate;
    }
  }
};

TEST_CASE("everything is attached from the start, and stays so on a node that is not busy") {
  Node node;
  CHECK(node.gearbox.is_armed());
  node.pass(600, Gearbox::kBusy - 1);
  CHECK(node.gearbox.is_armed());
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
    "on a busy node the costly families go after half a minute in which nothing is followed") {
  Node node;
  node.pass(30, Gearbox::kBusy);
  CHECK(node.gearbox.is_armed());
  node.pass(10, Gearbox::kBusy);
  CHECK_FALSE(node.gearbox.is_armed());

  SECTION("they are back as soon as something is followed, and for half a minute") {
    node.gearbox.follow(node.now);
    CHECK(node.gearbox.is_armed());
    node.pass(29, Gearbox::kBusy);
    CHECK(node.gearbox.is_armed());
    node.pass(10, Gearbox::kBusy);
    CHECK_FALSE(node.gearbox.is_armed());
  }
  SECTION("they are back when the node is idle, not when it is a little less busy") {
    node.pass(20, Gearbox::kBusy - Gearbox::kBusy / 4);
    CHECK_FALSE(node.gearbox.is_armed());
    node.pass(20, Gearbox::kBusy / 4);
    CHECK(node.gearbox.is_armed());
  }
}

TEST_CASE("while something is followed all stays attached, however busy the node is") {
  Node node;
  for (int i = 0; i < 60; ++i) {
    node.gearbox.follow(node.now);
    node.pass(10, 1'000'000);
    CHECK(node.gearbox.is_armed());
  }
}

TEST_CASE("a CPU that goes with its count makes no node busy") {
  Node node;
  node.pass(60, 100);
  node.packets -= 5'000'000;
  node.pass(60, 100);
  CHECK(node.gearbox.is_armed());
}

TEST_CASE("--armed: nothing is ever let go of, nor measured") {
  Node node(0);
  CHECK_FALSE(node.gearbox.is_due(node.now));
  node.pass(600, 1'000'000);
  CHECK(node.gearbox.is_armed());
}

}  // namespace
}  // namespace dptrace
