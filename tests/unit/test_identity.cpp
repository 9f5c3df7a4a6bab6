// Whose an event is: nothing of another packet's, nothing torn, nothing without bound.
#include <catch2/catch.hpp>

#include "support/wire.hpp"
#include "timeline/timeline.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

constexpr std::uint32_t kPod = 100, kNode = 200, kServer = 300, kOtherPod = 400;
constexpr std::uint64_t kNft = 0x2000, kTcpRcv = 0x5000, kTcpDoRcv = 0x6000;
constexpr std::uint32_t kNetfilter = 7, kUnspecified = 2, kNoSocket = 3;

struct Bench {
  Names names;
  Timeline timeline;
  std::vector<Packet> packets;
  std::uint64_t now = 1000;

  explicit Bench(TimelineLimits limits = {}) : timeline(names, limits) {
    names.symbols = {{kNft, {"nft_do_chain", kNft - 4}},
                     {kTcpRcv, {"tcp_v4_rcv", kTcpRcv - 4}},
                     {kTcpDoRcv, {"tcp_v4_do_rcv", kTcpDoRcv - 4}}};
    names.reasons = {
        {kNetfilter, "NETFILTER_DROP"}, {kUnspecified, "NOT_SPECIFIED"}, {kNoSocket, "NO_SOCKET"}};
  }
  void see(std::uint8_t point, std::uint32_t netns, std::uint64_t skb, const dpt_flow& flow,
           std::uint64_t key) {
    auto record = hop({now += 1000, point, netns, 2, skb}, flow, key);
    record.iif = point == DPT_POINT_DEVICE_TRANSMIT && netns != kNode ? 0 : 2;
    timeline.add(record);
  }
  void hook(std::uint8_t number, std::uint32_t netns, std::uint64_t skb, const dpt_flow& flow,
            std::uint64_t key) {
    timeline.add(netfilter({now += 1000, 0, netns, 2, skb}, flow, key, number, 1));
  }
  void free(std::uint32_t netns, std::uint64_t skb, const dpt_flow& flow, std::uint64_t key,
            std::uint64_t location, std::uint32_t reason, std::uint32_t iif) {
    auto record = drop({now += 1000, 0, netns, 2, skb}, flow, key, location, reason);
    record.hop.iif = iif;
    timeline.add(record);
  }
  void cross(std::uint32_t from, std::uint32_t to, std::uint64_t skb, const dpt_flow& flow,
             std::uint64_t key) {
    see(DPT_POINT_DEVICE_TRANSMIT, from, skb, flow, key);
    see(DPT_POINT_TC_INGRESS, kNode, skb, flow, key);
    see(DPT_POINT_DEVICE_RECEIVE, to, skb, flow, key);
  }
  void deliver(std::uint32_t from, std::uint32_t to, std::uint64_t skb, const dpt_flow& flow,
               std::uint64_t key) {
    cross(from, to, skb, flow, key);
    see(DPT_POINT_SOCKET, to, skb, flow, key);
  }
  void find_full(std::uint64_t skb, std::uint64_t key) {
    dpt_full_listener full{};
    full.event = {DPT_EVENT_FULL_LISTENER, sizeof full, 0, now};
    full.skb = skb;
    full.key = key;
    full.waiting = 129;
    full.limit = 128;
    full.somaxconn = 4096;
    timeline.add(full);
  }
  void finish() {
    timeline.finish([this](Packet&& packet) { packets.push_back(std::move(packet)); });
  }
};

dpt_flow from(std::string_view source, dpt_flow flow) {
  flow.source = address(source);
  return flow;
}

dpt_flow tcp_segment(std::uint32_t sequence, std::uint32_t payload, std::uint8_t flags,
                     std::uint32_t acknowledgment = 0) {
  auto flow = tcp(sequence, payload);
  flow.headers = 40;
  flow.tcp_flags = flags;
  flow.acknowledgment = acknowledgment;
  return flow;
}

dpt_flow back(dpt_flow flow) {
  std::swap(flow.source, flow.destination);
  std::swap(flow.l4.port.source, flow.l4.port.destination);
  return flow;
}

}  // namespace

TEST_CASE("equal packets of two pods are two, whatever skbs they have") {
  Bench bench;
  const auto ours = udp(4000, 60), theirs = from("10.244.19.99", ours);
  SECTION("at the same time") {
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 0xa00, ours, 7);
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kOtherPod, 0xb00, theirs, 7);
    bench.see(DPT_POINT_DEVICE_RECEIVE, kServer, 0xc00, theirs, 7);
    bench.see(DPT_POINT_DEVICE_RECEIVE, kServer, 0xd00, ours, 7);
    bench.finish();
    REQUIRE(bench.packets.size() == 2);
    for (const auto& packet : bench.packets) CHECK(packet.hops.size() == 2);
    for (const auto& packet : bench.packets) CHECK_FALSE(packet.hops[1].new_flow);
  }
  SECTION("one after the other, in the same skb") {
    bench.deliver(kPod, kServer, 0xa00, ours, 7);
    bench.deliver(kOtherPod, kServer, 0xa00, theirs, 7);
    bench.finish();
    CHECK(bench.packets.size() == 2);
  }
  SECTION("in the same skb, whose first end was not seen") {
    bench.cross(kPod, kServer, 0xa00, ours, 7);
    bench.cross(kOtherPod, kServer, 0xa00, theirs, 7);
    bench.finish();
    CHECK(bench.packets.size() == 2);
  }
}

TEST_CASE(
    "NAT is what changes the tuple of an skb; content under another tuple is another packet") {
  Bench bench;
  auto translated = udp(4000, 60);
  SECTION("addresses") { translated.destination = address("10.244.6.9"); }
  SECTION("a port alone: a redirection") { translated.l4.port.destination = 15006; }
  const bool same_skb = GENERATE(true, false);
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 0xa00, udp(4000, 60), 7);
  bench.see(DPT_POINT_TC_EGRESS, kNode, same_skb ? 0xa00 : 0xb00, translated, 7);
  // And from there on by content.
  bench.see(DPT_POINT_DEVICE_RECEIVE, kServer, 0xc00, translated, 7);
  bench.finish();
  if (same_skb) {
    REQUIRE(bench.packets.size() == 1);
    CHECK(bench.packets[0].hops.size() == 3);
  } else {
    CHECK(bench.packets.size() == 2);
  }
}

TEST_CASE("equal datagrams dropped one by one at their sender are as many packets") {
  Bench bench;
  const auto flow = udp(4000, 60);
  constexpr int kDatagrams = 500;
  const bool same_skb = GENERATE(true, false);
  for (int i = 0; i < kDatagrams; ++i)
    bench.free(kPod, same_skb ? 0xa00 : 0xa00 + 256ULL * i, flow, 7, kNft, kNetfilter, 0);
  bench.finish();
  CHECK(bench.packets.size() == kDatagrams);
}

TEST_CASE("what is kept of one packet is bounded, and the rest is counted") {
  Bench bench({.hops = 10, .branches = 4, .drops = 3});
  auto flow = udp(4000, 60);
  flow.destination = address("239.1.1.1");
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 0xa00, flow, 7);
  for (std::uint32_t i = 0; i < 50; ++i) {
    auto copy =
        hop({bench.now += 1000, DPT_POINT_TC_EGRESS, kNode, 10 + i, 0xb00 + i * 256}, flow, 7);
    copy.iif = 3;
    bench.timeline.add(copy);
  }
  for (std::uint32_t i = 0; i < 40; ++i) bench.hook(1, kNode, 0xa00, flow, 7);
  bench.finish();
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].hops.size() == 10);
  CHECK(bench.packets[0].left_out == 1 + 50 + 40 - 10);
}

TEST_CASE("the hops of all packets are bounded") {
  Bench bench({.all_hops = 100});
  for (std::uint32_t i = 0; i < 200; ++i)
    bench.deliver(kPod, kServer, 0xa00 + i * 256ULL, echo_request(static_cast<std::uint16_t>(i)),
                  i);
  CHECK(bench.timeline.forgotten() > 100);
  bench.finish();
  CHECK(bench.packets.size() == 200);
}

TEST_CASE("a hop at the sender, after it has left it, is the next packet's") {
  Bench bench;
  const auto flow = tcp_segment(5000, 0, 0x10, 900);  // TIME_WAIT's acknowledgments have no id
  for (int i = 0; i < 2; ++i) {
    bench.hook(3, kPod, 0xa00 + 256ULL * i, flow, 7);
    bench.hook(4, kPod, 0xa00 + 256ULL * i, flow, 7);
    bench.cross(kPod, kServer, 0xa00 + 256ULL * i, flow, 7);
  }
  bench.finish();
  REQUIRE(bench.packets.size() == 2);
  CHECK(bench.packets[0].hops.size() == 5);
  CHECK(bench.packets[1].hops.size() == 5);
}

TEST_CASE("a hairpin comes back to its sender and is one packet") {
  Bench bench;
  auto flow = udp(4000, 60), translated = flow;
  translated.source = address("10.244.19.1");
  translated.destination = flow.source;
  bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 0xa00, flow, 7);
  bench.see(DPT_POINT_TC_INGRESS, kNode, 0xa00, flow, 7);
  bench.see(DPT_POINT_TC_EGRESS, kNode, 0xa00, translated, 7);
  bench.see(DPT_POINT_DEVICE_RECEIVE, kPod, 0xa00, translated, 7);
  bench.see(DPT_POINT_SOCKET, kPod, 0xa00, translated, 7);
  bench.finish();
  REQUIRE(bench.packets.size() == 1);
  CHECK(bench.packets[0].verdict == Verdict::kDelivered);
}

TEST_CASE("a request is delivered when its listener answers, not when it has come there") {
  Bench bench;
  constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12;
  const auto syn = tcp_segment(1000, 0, kSyn);
  bench.deliver(kPod, kServer, 0xa00, syn, 1);
  SECTION("not at all: its queue of connections is full") {
    bench.finish();
    REQUIRE(bench.packets.size() == 1);
    CHECK(bench.packets[0].verdict == Verdict::kUnfinished);
    CHECK(bench.packets[0].unanswered);
    CHECK(bench.packets[0].hops.back().point == DPT_POINT_SOCKET);
  }
  SECTION("another request") {
    auto other = back(tcp_segment(9000, 0, kSynAck, 1001));
    other.l4.port.destination = 40001;
    bench.deliver(kServer, kPod, 0xb00, other, 2);
    bench.finish();
    CHECK(bench.packets[0].verdict == Verdict::kUnfinished);
  }
  SECTION("by accepting or refusing it, before or after it is asked about") {
    const auto flags = GENERATE(as<std::uint8_t>{}, 0x12, 0x14);  // SYN ACK, RST ACK
    const auto told = [&](Packet&& packet) { bench.packets.push_back(std::move(packet)); };
    if (GENERATE(true, false)) bench.timeline.advance(bench.now + kSecond, told);
    CHECK(bench.packets.empty());
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9000, 0, flags, 1001)), 2);
    bench.timeline.advance(bench.now + 2 * kSecond, told);
    REQUIRE(bench.packets.size() == 2);
    CHECK(bench.packets[0].verdict == Verdict::kDelivered);
    CHECK_FALSE(bench.packets[0].unanswered);
  }
}

TEST_CASE("a request that met a full listener waits for no answer, and has none of its own") {
  Bench bench;
  constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12;
  const auto told = [&](Packet&& packet) { bench.packets.push_back(std::move(packet)); };
  bench.deliver(kPod, kServer, 0xa00, tcp_segment(1000, 0, kSyn), 1);
  bench.find_full(0xa00, 1);
  bench.find_full(0xa00, 2);  // another packet's, which is not known
  SECTION("and has none") {
    bench.timeline.advance(bench.now + kSecond, told);
    REQUIRE(bench.packets.size() == 1);
    CHECK(bench.packets[0].unanswered);
    CHECK(bench.packets[0].full_listener == ListenQueue{129, 128, 4096});
  }
  SECTION("but there was room again when the kernel looked") {
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9000, 0, kSynAck, 1001)), 2);
    bench.timeline.advance(bench.now + kSecond, told);
    REQUIRE(bench.packets.size() == 2);
    CHECK(bench.packets[0].verdict == Verdict::kDelivered);
    CHECK_FALSE(bench.packets[0].unanswered);
  }
}

TEST_CASE("what TCP frees of a connection that it knows and that brings nothing is no loss") {
  Bench bench;
  constexpr std::uint8_t kSyn = 0x02, kSynAck = 0x12, kAck = 0x10, kRst = 0x04, kFinAck = 0x11;
  const auto syn = tcp_segment(1000, 0, kSyn);
  const auto syn_ack = back(tcp_segment(9000, 0, kSynAck, 1001));
  const auto free_there = [&](const dpt_flow& flow, std::uint64_t location, std::uint32_t reason) {
    const std::uint64_t key = bench.now;
    bench.cross(kPod, kServer, 0xa00, flow, key);
    bench.free(kServer, 0xa00, flow, key, location, reason, 2);
  };
  bench.deliver(kPod, kServer, 0xa00, syn, 1);
  SECTION("a SYN that is repeated while the answer does not come through") {
    bench.deliver(kServer, kNode, 0xb00, syn_ack, 2);
    free_there(syn, kTcpRcv, kUnspecified);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDelivered);
    CHECK(bench.packets.back().retransmission);
  }
  SECTION("a SYN that nobody has answered, to a port that has closed since") {
    // The kernel sends its reset before it frees the SYN.
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(0, 0, kRst | kAck, 1001)), 2);
    free_there(syn, kTcpRcv, kNoSocket);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDropped);
  }
  SECTION("a reset that a half-open connection takes") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    free_there(tcp_segment(1001, 0, kRst), kTcpRcv, kNoSocket);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDelivered);
  }
  SECTION("an acknowledgment after both FINs, also behind NAT") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    bench.deliver(kPod, kServer, 0xa00, tcp_segment(1001, 0, kFinAck, 9001), 3);
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9001, 0, kFinAck, 1002)), 4);
    const auto last = tcp_segment(1002, 0, kAck, 9002);
    free_there(last, GENERATE(kTcpRcv, kTcpDoRcv), kUnspecified);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDelivered);
  }
  SECTION("data for an end whose application has closed it") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    bench.deliver(kPod, kServer, 0xa00, tcp_segment(1001, 0, kAck, 9001), 3);
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9001, 0, kFinAck, 1001)), 4);
    free_there(tcp_segment(1001, 10, kAck, 9002), kTcpRcv, kUnspecified);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDelivered);
    CHECK(bench.packets.back().reader_closed);
  }
  SECTION("data in parts, of which the reader took the first and closed before the last") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    bench.deliver(kPod, kServer, 0xa00, tcp_segment(1001, 0, kAck, 9001), 3);
    bench.see(DPT_POINT_DEVICE_TRANSMIT, kPod, 0xa00, tcp_segment(1001, 20, kAck, 9001), 5);
    bench.see(DPT_POINT_DEVICE_RECEIVE, kServer, 0xa00, tcp_segment(1001, 10, kAck, 9001), 5);
    bench.see(DPT_POINT_DEVICE_RECEIVE, kServer, 0xc00, tcp_segment(1011, 10, kAck, 9001), 6);
    bench.see(DPT_POINT_SOCKET, kServer, 0xa00, tcp_segment(1001, 10, kAck, 9001), 5);
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9001, 0, kFinAck, 1011)), 4);
    bench.free(kServer, 0xc00, tcp_segment(1011, 10, kAck, 9001), 6, kTcpRcv, kUnspecified, 2);
    bench.finish();
    const auto& packet = bench.packets.at(3);
    CHECK(packet.flow().sequence == 1001);
    CHECK(packet.verdict == Verdict::kDelivered);
    CHECK(packet.reader_closed);
  }
  SECTION("and what carries none has a reader that knows") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    bench.deliver(kPod, kServer, 0xa00, tcp_segment(1001, 0, kAck, 9001), 3);
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9001, 0, kFinAck, 1001)), 4);
    free_there(tcp_segment(1001, 0, kAck, 9002), kTcpRcv, kUnspecified);
    bench.finish();
    CHECK_FALSE(bench.packets.back().reader_closed);
  }
  SECTION("but data after both FINs was lost") {
    bench.deliver(kServer, kPod, 0xb00, syn_ack, 2);
    bench.deliver(kPod, kServer, 0xa00, tcp_segment(1001, 0, kFinAck, 9001), 3);
    bench.deliver(kServer, kPod, 0xb00, back(tcp_segment(9001, 0, kFinAck, 1002)), 4);
    free_there(tcp_segment(1002, 10, kAck, 9002), kTcpRcv, kUnspecified);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDropped);
  }
  SECTION("and an acknowledgment of no known connection is refused") {
    auto stray = tcp_segment(5, 0, kAck, 6);
    stray.l4.port.source = 41000;
    free_there(stray, kTcpDoRcv, kUnspecified);
    bench.finish();
    CHECK(bench.packets.back().verdict == Verdict::kDropped);
  }
}
