#include <catch2/catch.hpp>

#include "output/loops.hpp"
#include "output/ways.hpp"
#include "support/printed.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

std::size_t lines_of(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

Packet again(Packet packet, std::uint64_t later_ns = 1'000'000'000) {
  for (Hop& hop : packet.hops) hop.time_ns += later_ns;
  if (packet.drop) packet.drop->time_ns += later_ns;
  packet.retransmission = true;
  return packet;
}

std::string both(const Packet& first, const Packet& second, bool verbose = false) {
  CollectingSink sink;
  OutputOptions options = text_options();
  options.verbose = verbose;
  const auto output = make_text_output(sink, options);
  output->packet(first, names());
  const std::size_t start = sink.text.size() + 1;
  output->packet(second, names());
  return sink.text.substr(start);
}

}  // namespace

TEST_CASE("a loop of 62 rounds is its first round and a line") {
  const std::string text = printed(loop_of(62, 64));
  CHECK(text ==
        R"(05:26:00.123456 out ICMP echo request 10.244.1.2 (default/client) → 10.244.9.9
                    id 11493 seq 1, 84 bytes
        0.0 µs  veth4722669f (pod default/client)  received (tc)
        1.0 µs  eth0 (uplink)                      sending (tc)
        1.0 µs  eth0 (uplink)                      received (tc)
                loop: these 2 lines 61 times more, TTL 63 → 2
  unfinished: last seen at eth0 (uplink), received (tc), after 7.1 µs
)");
  OutputOptions verbose = text_options();
  verbose.verbose = true;
  CollectingSink sink;
  make_text_output(sink, verbose)->packet(loop_of(62, 64), names());
  CHECK(lines_of(sink.text) > 124);
}

TEST_CASE("what follows a loop is told") {
  Packet packet = loop_of(10, 64);
  Hop last = packet.hops.back();
  last.interface = kCni0;
  last.time_ns += 10;
  packet.hops.push_back(last);
  CHECK(contains(printed(packet), "9 times more, TTL 63 → 54\n        1.9 µs  cni0 (bridge) "));
}

TEST_CASE("the same lines with one TTL are copies or parts, not a loop") {
  Packet packet = loop_of(10, 64);
  for (Hop& hop : packet.hops) hop.flow.ttl = 63;
  CHECK_FALSE(contains(printed(packet), "loop:"));
}

TEST_CASE("a round or two are no loop, nor are rounds that differ") {
  CHECK_FALSE(contains(printed(loop_of(2, 64)), "loop:"));
  CHECK(contains(printed(loop_of(3, 64)), "loop: these 2 lines 2 times more"));
  Packet packet = loop_of(3, 64);
  packet.hops[3].interface = kFlannel;
  CHECK_FALSE(contains(printed(packet), "loop:"));
}

TEST_CASE("a loop in which each node's NAT gives it another tuple is a loop") {
  Packet packet = loop_of(20, 64);
  for (std::size_t i = 1; i < packet.hops.size(); ++i) {
    packet.hops[i].flow.l4.icmp.id = static_cast<std::uint16_t>(5000 + i);
    packet.hops[i].new_flow = true;
  }
  CHECK(contains(printed(packet), "2 lines 19 times more, TTL 63 → 44, with NAT in each round\n"));
}

TEST_CASE(
    "a loop over several devices and hooks is one round of them, in IPv6 with its hop limit") {
  dpt_flow echo = icmp("fd00:10:244:1::2", "fd00::9", 128, 11493, 1);
  Packet packet;
  for (std::uint8_t round = 0; round < 30; ++round) {
    echo.ttl = static_cast<std::uint8_t>(64 - 2 * round);
    Builder first(echo);
    first.hop(round * 100U, DPT_POINT_DEVICE_RECEIVE, kUplink)
        .netfilter(round * 100U + 10, 0, kUplink);
    first.netfilter(round * 100U + 20, 2, kUplink);
    --echo.ttl;
    Packet back = Builder(echo).hop(round * 100U + 30, DPT_POINT_DEVICE_RECEIVE, kNode2Uplink);
    const Packet out = first;
    packet.hops.insert(packet.hops.end(), out.hops.begin(), out.hops.end());
    packet.hops.insert(packet.hops.end(), back.hops.begin(), back.hops.end());
  }
  CHECK(contains(printed(packet), "loop: these 3 lines 29 times more, hop limit 64 → 5\n"));
}

TEST_CASE("a retransmission by the same way is its head, one line and its verdict") {
  const Packet packet = syn_to_service();
  CHECK(both(packet, again(packet)) ==
        R"(05:26:01.123456 out TCP 10.244.1.2:40112 (default/client) → 10.96.0.10:80
                    SYN seq 1234567890, 60 bytes, retransmission
  same way as the packet at 05:26:00.123456, 5 hops
  left the node by eth0 (uplink) after 8.1 µs
)");
}

TEST_CASE("a third one names the packet whose way was printed") {
  CollectingSink sink;
  const auto output = make_text_output(sink, text_options());
  const Packet packet = syn_to_service();
  output->packet(packet, names());
  output->packet(again(packet), names());
  output->packet(again(packet, 3'000'000'000), names());
  CHECK(contains(sink.text, "05:26:03.123456 out TCP"));
  const std::size_t first = sink.text.find("same way as the packet at 05:26:00.123456");
  REQUIRE(first != sink.text.npos);
  CHECK(sink.text.find("same way as the packet at 05:26:00.123456", first + 1) != sink.text.npos);
}

TEST_CASE("a retransmission that goes another way is told in full") {
  const Packet packet = syn_to_service();
  const auto is_folded = [&](const Packet& second) {
    return contains(both(packet, second), "same way");
  };
  REQUIRE(is_folded(again(packet)));
  Packet other = again(packet);
  other.hops[4].interface = kFlannel;
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  other.hops[3].flow.l4.port.source = 61003;
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  other.hops[2].netfilter->result = -1;
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  other.hops[4].tunnel = ipip("192.168.56.11", "192.168.56.12");
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  other.hops.pop_back();
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  for (Hop& hop : other.hops) hop.flow.sequence += 1448;
  CHECK_FALSE(is_folded(other));
  other = again(packet);
  other.retransmission = false;
  CHECK_FALSE(is_folded(other));
}

TEST_CASE("verbose, a retransmission is marked and told in full") {
  const std::string text = both(syn_to_service(), again(syn_to_service()), true);
  CHECK(contains(text, "retransmission"));
  CHECK_FALSE(contains(text, "same way"));
  CHECK(lines_of(text) > 8);
}

TEST_CASE("a retransmission is not told by the way of an acknowledgment with its numbers") {
  Ways ways;
  dpt_flow data = tcp("10.244.1.2", 40112, "10.244.2.3", 80, 0x18, 100, 7);
  data.headers = 52;
  data.length = 152;
  dpt_flow ack = data;
  ack.tcp_flags = 0x10;
  ack.length = 52;
  const Packet sent = Builder(data).hop(0, DPT_POINT_TC_INGRESS, kVeth);
  const Packet acknowledged = Builder(ack).hop(500, DPT_POINT_TC_EGRESS, kVeth);
  CHECK_FALSE(ways.same_before(sent));
  CHECK_FALSE(ways.same_before(acknowledged));
  CHECK(ways.same_before(again(sent)) == kStart);
}
