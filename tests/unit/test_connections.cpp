#include <netinet/tcp.h>

#include <catch2/catch.hpp>

#include "support/wire.hpp"
#include "timeline/connections.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kTimestamps = 12;

dpt_flow segment(std::uint32_t sequence, std::uint32_t payload) {
  return tcp(sequence, kTimestamps + payload);
}

// From the other end: it has all before `next`.
dpt_flow acknowledgment(std::uint32_t next) {
  dpt_flow flow = tcp_back(1, kTimestamps);
  flow.acknowledgment = next;
  return flow;
}

}  // namespace

TEST_CASE("what the other end has acknowledged it had received") {
  Connections received;
  CHECK_FALSE(received.had(segment(1000, 500)));
  received.note(acknowledgment(1500));
  CHECK(received.had(segment(1000, 500)));
  CHECK_FALSE(received.had(segment(1000, 0)));  // brings nothing
  CHECK_FALSE(received.had(segment(1000, 501)));
  CHECK_FALSE(received.had(segment(1500, 1)));
  received.note(acknowledgment(1400));  // overtaken
  CHECK(received.had(segment(1000, 500)));
}

TEST_CASE(
    "an answer is known by what it acknowledges, where NAT has changed it before the first look") {
  Connections connections;
  auto request = segment(1000, 0);
  request.tcp_flags = TH_SYN;
  connections.note(request);
  // The client of a redirection asked somebody else, who answers.
  auto answer = acknowledgment(1001);
  answer.tcp_flags = TH_SYN | TH_ACK;
  answer.source.bytes[15] ^= 0x55;
  answer.l4.port.source = 443;

  SECTION("an answer to another request is none") {
    answer.acknowledgment = 1002;
    connections.note(answer);
    CHECK_FALSE(connections.has_answered(request));
  }
  SECTION("nor one to another client") {
    ++answer.l4.port.destination;
    connections.note(answer);
    CHECK_FALSE(connections.has_answered(request));
  }
  SECTION("both ways are one connection from then on") {
    connections.note(answer);
    CHECK(connections.has_answered(request));
    auto later = answer;
    later.tcp_flags = TH_ACK;
    later.acknowledgment = 1501;
    connections.note(later);
    CHECK(connections.had(segment(1001, 500)));
    CHECK_FALSE(connections.had(segment(1001, 501)));
    auto end = segment(1501, 0);
    end.tcp_flags |= TH_FIN;
    connections.note(end);
    later.tcp_flags |= TH_FIN;
    connections.note(later);
    later.tcp_flags = TH_ACK;
    CHECK(connections.is_afterword(later));
    CHECK(connections.is_afterword(segment(1502, 0)));
  }
}

TEST_CASE("a FIN counts as a byte") {
  Connections received;
  received.note(acknowledgment(1500));
  auto last = segment(1000, 500);
  last.tcp_flags |= TH_FIN;
  CHECK_FALSE(received.had(last));
  received.note(acknowledgment(1501));
  CHECK(received.had(last));
}

TEST_CASE("sequence numbers wrap") {
  Connections received;
  received.note(acknowledgment(100));
  CHECK(received.had(segment(0xffffff00, 300)));
  CHECK_FALSE(received.had(segment(0xffffff00, 400)));
}

TEST_CASE("neither another connection tells, nor the one before on the same ports") {
  Connections received;
  auto other = acknowledgment(1500);
  ++other.l4.port.destination;
  received.note(other);
  CHECK_FALSE(received.had(segment(1000, 500)));
  received.note(acknowledgment(900'000));
  auto accepted = acknowledgment(1000);
  accepted.tcp_flags |= TH_SYN;
  received.note(accepted);
  CHECK_FALSE(received.had(segment(1000, 500)));
}

TEST_CASE("who has closed answers from TIME_WAIT, until the next connection on the same ports") {
  Connections received;
  CHECK_FALSE(received.meets_time_wait(segment(1500, 0)));
  received.note(acknowledgment(1500));
  CHECK_FALSE(received.meets_time_wait(segment(1500, 0)));
  auto fin = acknowledgment(1500);
  fin.tcp_flags |= TH_FIN;
  received.note(fin);
  CHECK(received.meets_time_wait(segment(1500, 0)));
  CHECK_FALSE(received.meets_time_wait(acknowledgment(1)));  // the other end has not
  auto last = segment(1500, 0);
  last.tcp_flags |= TH_FIN;
  CHECK(received.meets_time_wait(last));
  CHECK(received.meets_time_wait(segment(1000, 500)));
  CHECK_FALSE(received.meets_time_wait(segment(1500, 1)));  // new data: reset, and lost
  received.note(acknowledgment(1501));
  CHECK(received.meets_time_wait(last));
  auto syn = acknowledgment(0);
  syn.tcp_flags = TH_SYN;
  received.note(syn);
  CHECK_FALSE(received.meets_time_wait(segment(1, 0)));
}

TEST_CASE("a reset without an acknowledgment acknowledges nothing") {
  Connections received;
  auto reset = acknowledgment(5000);
  reset.tcp_flags = TH_RST;
  received.note(reset);
  CHECK_FALSE(received.had(segment(1000, 500)));
}

TEST_CASE("data that an earlier segment carried is a retransmission, what follows it is none") {
  const auto read = [](std::uint32_t sequence, std::uint32_t payload, std::uint8_t flags = 0) {
    dpt_flow flow = segment(sequence, payload);
    flow.headers = static_cast<std::uint16_t>(flow.length - payload);
    flow.tcp_flags |= flags;
    return flow;
  };
  Connections connections;
  dpt_flow syn = tcp(999, 20);  // its options are longer than those of others
  syn.tcp_flags = TH_SYN;
  CHECK_FALSE(connections.is_retransmission(syn));
  connections.note(syn);
  CHECK(connections.is_retransmission(syn));
  CHECK_FALSE(connections.is_retransmission(read(1000, 0, TH_FIN)));
  CHECK_FALSE(connections.is_retransmission(read(1000, 4)));
  connections.note(read(1000, 500));
  CHECK(connections.is_retransmission(read(1000, 500)));
  CHECK(connections.is_retransmission(read(1200, 100)));
  CHECK_FALSE(connections.is_retransmission(read(1500, 1)));
  CHECK_FALSE(connections.is_retransmission(read(1400, 0)));  // brings nothing
}

TEST_CASE("an acknowledgment whose options were not read is no retransmission") {
  Connections connections;
  connections.note(segment(1000, 500));
  dpt_flow with_sack = segment(1400, 12);
  CHECK_FALSE(connections.is_retransmission(with_sack));
  with_sack.headers = static_cast<std::uint16_t>(with_sack.length);
  CHECK_FALSE(connections.is_retransmission(with_sack));
}

TEST_CASE("connections that say nothing are forgotten, others not") {
  Connections received;
  received.note(acknowledgment(1500));
  for (std::uint32_t number = 0; number < 100'000; ++number) {
    auto other = acknowledgment(number);
    other.source.bytes[15] = static_cast<std::uint8_t>(number >> 16);
    other.l4.port.source = static_cast<std::uint16_t>(number);
    other.l4.port.destination = 1;
    received.note(other);
    if (number == 50'000) CHECK_FALSE(received.had(segment(1000, 500)));
    if (number == 50'000) received.note(acknowledgment(1500));
    if (number > 50'000 && number % 1000 == 0) received.note(acknowledgment(1400));
  }
  CHECK(received.had(segment(1000, 500)));
}
