#include <catch2/catch.hpp>

#include "explain/reply_ways.hpp"
#include "support/verdict_bench.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kEth0 = 2, kEth1 = 3, kBond0 = 4;
constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;

// A client of 203.0.113.9 asks the node by eth1.
struct Connection {
  ReplyWays ways;
  std::uint64_t now = 1'000'000'000;
  std::uint64_t skb = 0xa00;
  std::uint16_t port = 4000;

  dpt_hop at(std::uint8_t point, std::uint32_t device, std::uint8_t flags) {
    dpt_flow flow = tcp(1, 0);
    flow.source = address("203.0.113.9");
    flow.destination = address("192.168.56.11");
    flow.l4.port = {port, 80};
    flow.sequence = 1000;
    flow.acknowledgment = 0;
    if (point == DPT_POINT_DEVICE_TRANSMIT || point == DPT_POINT_TC_EGRESS) {
      std::swap(flow.source, flow.destination);
      flow.l4.port = {80, port};
      flow.sequence = 77;
      flow.acknowledgment = 1001;
    }
    flow.tcp_flags = flags;
    return hop({now, point, kNode, device, skb}, flow, 1);
  }
  std::optional<std::uint32_t> see(const dpt_hop& hop) {
    return ways.wants(hop) ? ways.see(hop) : std::nullopt;
  }
  void request(std::uint32_t device = kEth1) {
    now += 1'000'000'000;
    CHECK_FALSE(see(at(DPT_POINT_DEVICE_RECEIVE, device, kSyn)));
  }
  std::optional<std::uint32_t> answer(std::uint32_t device = kEth0) {
    now += 100'000;
    return see(at(DPT_POINT_DEVICE_TRANSMIT, device, kSyn | kAck));
  }
};

}  // namespace

TEST_CASE("an answer by another way is told once its request has come again") {
  Connection connection;
  connection.request();
  CHECK_FALSE(connection.answer());
  connection.now += 1'000'000'000;
  CHECK_FALSE(connection.answer());  // the server's own repetition
  connection.request();
  CHECK(connection.answer() == kEth1);
}

TEST_CASE("the devices below the way out tell the same of that answer") {
  Connection connection;
  connection.request();
  CHECK_FALSE(connection.answer());
  connection.request();
  CHECK(connection.answer(kEth0) == kEth1);
  CHECK(connection.answer(kBond0) == kEth1);
}

TEST_CASE("a bond's answer may leave by its other port") {
  Connection connection;
  for (int i = 0; i < 3; ++i) {
    connection.request(kEth1);
    CHECK_FALSE(connection.see(connection.at(DPT_POINT_DEVICE_RECEIVE, kBond0, kSyn)));
    CHECK_FALSE(connection.answer(kBond0));
    CHECK_FALSE(connection.answer(kEth0));
  }
}

TEST_CASE("of an answer it is known by which device its request came") {
  Connection connection;
  connection.request(kEth1);
  dpt_hop died = connection.at(DPT_POINT_DEVICE_TRANSMIT, kEth0, kSyn | kAck);
  CHECK(connection.ways.asked_by(died) == kEth1);
  died.flow.acknowledgment = 5;
  CHECK(connection.ways.asked_by(died) == 0);
  CHECK(connection.ways.asked_by(connection.at(DPT_POINT_DEVICE_TRANSMIT, kEth0, kAck)) == 0);
}

TEST_CASE("answers by the way of their requests are not told") {
  Connection connection;
  for (int i = 0; i < 3; ++i) {
    connection.request();
    CHECK_FALSE(connection.answer(kEth1));
  }
}

TEST_CASE("where a client went on, the two ways are meant to be so") {
  Connection connection;
  connection.request();
  CHECK_FALSE(connection.answer());
  CHECK_FALSE(connection.see(connection.at(DPT_POINT_DEVICE_RECEIVE, kEth1, kAck)));
  connection.port = 4001;
  connection.request();
  CHECK_FALSE(connection.answer());
  connection.request();
  CHECK_FALSE(connection.answer());
}

TEST_CASE("a port that is used again is another request") {
  Connection connection;
  connection.request();
  CHECK_FALSE(connection.answer());
  dpt_hop other = connection.at(DPT_POINT_DEVICE_RECEIVE, kEth1, kSyn);
  other.flow.sequence = 5000;
  CHECK_FALSE(connection.see(other));
  CHECK_FALSE(connection.answer());  // of the first
}
