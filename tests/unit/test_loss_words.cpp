#include <catch2/catch.hpp>

#include "support/printed.hpp"
#include "words/drop_sites.hpp"
#include "words/loss_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

void check_widths(const Packet& packet, const Names& names) {
  CollectingSink sink;
  make_text_output(sink, text_options())->packet(packet, names);
  for (const std::string& line : sink.lines()) {
    CAPTURE(line);
    CHECK(columns(line) <= kColumns);
  }
}

}  // namespace

TEST_CASE("a lost segment is a drop of the packet, with its sequence numbers") {
  CHECK(end_of(lost_segments({3})) ==
        "  DROPPED at eth0 (uplink): NETFILTER_DROP in nft_do_chain+0x40f, 1 of 18 segments "
        "(seq 4048–5495),\n    after 9.0 µs\n");
}

TEST_CASE("the time of a drop is its own, though other parts went on") {
  Packet packet = lost_segments({3});
  Hop later = packet.hops.back();
  later.time_ns += 90'000;
  packet.hops.push_back(later);
  CHECK(contains(unbroken_end_of(packet), ", after 9.0 µs\n"));
}

TEST_CASE("segments lost together are one range, others are said to be") {
  CHECK(contains(unbroken_end_of(lost_segments({3, 1, 2})),
                 "3 of 18 segments (seq 1152–5495), after"));
  CHECK(contains(unbroken_end_of(lost_segments({3, 4, 7})),
                 "3 of 18 segments (seq 4048–6943 and others), after"));
  // 4294967000 to 4294968447 has its end beyond the last number there is.
  CHECK(contains(unbroken_end_of(lost_segments({5, 0})), "(seq 4294967000–1151 and others)"));
}

TEST_CASE("a part that died twice, as its retransmission does, counts once") {
  CHECK(contains(unbroken_end_of(lost_segments({3, 3})),
                 ", 1 of 18 segments (seq 4048–5495), after"));
}

TEST_CASE("a lost fragment is told by its bytes in the datagram") {
  Packet packet = lost_segments({2});
  packet.drop->part = Part{Part::Kind::kFragment, 1480, 1480};
  packet.segments = 3;
  packet.part_kind = Part::Kind::kFragment;
  CHECK(contains(unbroken_end_of(packet), ", 1 of 3 fragments (bytes 1480–2959), after"));
  packet.drop->part->length = 0;
  CHECK(contains(unbroken_end_of(packet), "(bytes 1480), after"));
  packet.segments = 1;  // no other was seen
  CHECK(contains(unbroken_end_of(packet), ", 1 fragment (bytes 1480)"));
  packet.segments = 0;
  packet.part_kind.reset();
  CHECK(contains(unbroken_end_of(packet), ", 1 fragment (bytes 1480)"));
}

TEST_CASE("a lost segment of UDP is told by its bytes") {
  Packet packet = lost_segments({2});
  for (Hop& hop : packet.hops) hop.flow.protocol = 17;
  packet.drop->part = Part{Part::Kind::kSegment, 2400, 1200};
  packet.segments = 10;
  CHECK(contains(unbroken_end_of(packet), ", 1 of 10 segments (bytes 2400–3599), after"));
}

TEST_CASE("of several places of loss the one that decided is told, the others below") {
  Packet packet = lost_segments({3, 4, 5});
  Drop other = segment_drop(9500, packet.drops[0].part->offset + 14480);
  other.interface = kFlannel;
  other.location = kIpError;
  other.reason = 9;
  packet.drops.push_back(other);
  CHECK(
      end_of(packet) ==
      "  DROPPED at eth0 (uplink): NETFILTER_DROP in nft_do_chain+0x40f, 3 of 18 segments "
      "(seq 4048–8391),\n"
      "    after 9.0 µs\n"
      "  also DROPPED at flannel.1 (overlay): IP_INADDRERRORS in ip_error+0x7e, 1 of 18 segments\n"
      "    (seq 18528–19975)\n");
}

TEST_CASE("a copy that was lost is a line of its own beside the verdict") {
  const Packet packet = multicast_with_a_lost_copy();
  CHECK(end_of(packet) ==
        "  delivered in 57.3 µs (1 of 2 copies)\n"
        "  DROPPED a copy at eth0 in pod default/client: NETFILTER_DROP in nft_do_chain+0x40f\n");
  Packet flood = packet;
  flood.copies.push_back(flood.copies.back());
  flood.drops.push_back(flood.drops.back());
  flood.drops.back().time_ns += 500;
  CHECK(contains(unbroken_end_of(flood), "(1 of 3 copies)\n  DROPPED 2 copies at eth0 in pod"));
  Packet none_left = packet;
  none_left.verdict = Verdict::kDropped;
  none_left.copies[0].verdict = Verdict::kDropped;
  none_left.drop = none_left.drops[0];
  CHECK(contains(unbroken_end_of(none_left),
                 "  DROPPED at eth0 in pod default/client: NETFILTER_DROP in"));
  CHECK(contains(unbroken_end_of(none_left), "(2 of 2 copies)\n"));
  CHECK_FALSE(contains(unbroken_end_of(none_left), "a copy"));
}

TEST_CASE("a copy whose end is no loss does not shout") {
  Packet packet = multicast_with_a_lost_copy();
  packet.drops[0].loss = false;
  CHECK(contains(unbroken_end_of(packet),
                 "\n  freed, no loss, a copy at eth0 in pod default/client:"));
  CHECK_FALSE(contains(unbroken_end_of(packet), "DROPPED"));
}

TEST_CASE("the drop line says that it was the outer packet that died") {
  Packet packet = forwarding_off();
  packet.drop->tunnel = ipip("192.168.56.11", "192.168.56.12");
  CHECK(contains(unbroken_end_of(packet),
                 "  DROPPED at cni0 (bridge), in IPIP 192.168.56.11 → 192.168.56.12: "
                 "IP_INADDRERRORS in ip_error+0x7e, after"));
  packet.drop->tunnel = vxlan("10.162.0.7", "10.162.0.6");
  CHECK(contains(unbroken_end_of(packet),
                 ", in VXLAN id 1 10.162.0.7 → 10.162.0.6: IP_INADDRERRORS"));
}

TEST_CASE("where hooks are unseen the drop line tells the tuple that NAT had made") {
  Packet packet = Builder(tcp("10.244.1.2", 40112, "10.96.0.10", 80, 0x02, 1, 0))
                      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                      .hop(4100, DPT_POINT_DROP, kUplink)
                      .now(tcp("10.244.1.2", 40112, "10.244.2.3", 8080, 0x02, 1, 0))
                      .dropped(4100, kUplink, 6, kNftDrop);
  CHECK(end_of(packet) ==
        "  DROPPED at eth0 (uplink), now 10.244.1.2:40112 → 10.244.2.3:8080: NETFILTER_DROP\n"
        "    in nft_do_chain+0x40f, after 4.1 µs\n");
  packet.hops[1].new_flow = false;
  CHECK_FALSE(contains(unbroken_end_of(packet), "now "));
}

TEST_CASE("a packet that only its drop could be read of is told by that flow") {
  Packet packet = Builder(dpt_flow{})
                      .netfilter(0, 3, kClientEth0, -1, kNftDoChainIpv4)
                      .hop(100, DPT_POINT_DROP, kClientEth0)
                      .now(tcp("10.244.1.2", 40112, "10.96.0.10", 80, 0x02, 1, 0))
                      .dropped(100, kClientEth0, 6, kNftDrop);
  packet.hops[0].netfilter->family = 2;
  CHECK(printed(packet) ==
        "05:26:00.123456 out TCP 10.244.1.2:40112 (default/client) → 10.96.0.10:80 SYN seq 1, 60 "
        "bytes\n"
        "        0.0 µs  eth0 in pod default/client  netfilter OUTPUT ipv4 drop by "
        "nft_do_chain_ipv4\n"
        "  DROPPED at eth0 in pod default/client: NETFILTER_DROP in nft_do_chain+0x40f, after 0.1 "
        "µs\n"
        "    by    a rule of nftables (nft_do_chain_ipv4), which one is not known\n");
}

TEST_CASE("hops that are losses of parts are told once, below") {
  Packet packet = lost_segments({3, 4});
  for (const Drop& drop : packet.drops) {
    Hop hop = packet.hops.back();
    hop.point = DPT_POINT_DROP;
    hop.time_ns = drop.time_ns;
    packet.hops.push_back(hop);
  }
  CHECK_FALSE(contains(printed(packet), "freed"));
}

TEST_CASE("parts are counted by what they are") {
  Packet packet = ping_across_nodes();
  packet.segments = 3;
  packet.part_kind = Part::Kind::kFragment;
  CHECK(end_of(packet) == "  delivered in 57.3 µs, in 3 fragments\n");
  packet.part_kind = Part::Kind::kSegment;
  CHECK(end_of(packet) == "  delivered in 57.3 µs, in 3 segments\n");
  packet.segments = 1;
  CHECK(end_of(packet) == "  delivered in 57.3 µs\n");
}

TEST_CASE("a packet that may lack hops says so and why") {
  Packet packet = ping_across_nodes();
  packet.incomplete = Incomplete::kEventsLost;
  CHECK(end_of(packet) ==
        "  delivered in 57.3 µs\n"
        "  hops may be missing: events were lost while it was under way\n");
  packet.incomplete = Incomplete::kNotArmed;
  CHECK(contains(unbroken_end_of(packet),
                 "missing: not every probe was attached yet when it passed\n"));
}

TEST_CASE("what is kept of one packet has an end, and that is told") {
  Packet packet = ping_across_nodes();
  packet.left_out = 59'000;
  CHECK(end_of(packet) ==
        "  delivered in 57.3 µs\n"
        "  left out: 59000 more events of this packet than are kept of one\n");
}

TEST_CASE("a multicast that nobody wanted is neither lost nor open") {
  Packet packet = multicast_with_a_lost_copy();
  packet.verdict = Verdict::kUnfinished;
  packet.drops.clear();
  packet.copies.clear();
  packet.nobody_wanted = true;
  CHECK(end_of(packet) ==
        "  wanted by nobody who got it: a multicast or broadcast, no loss, after 57.3 µs\n");
}

TEST_CASE("a request that its listener has not answered says so") {
  Packet packet = multicast_with_a_lost_copy();
  packet.verdict = Verdict::kUnfinished;
  packet.drops.clear();
  packet.copies.clear();
  packet.unanswered = true;
  CHECK(end_of(packet).starts_with("  unfinished: its listener has not answered at "));
}

TEST_CASE("data for a connection that its reader has closed came there, but nobody reads it") {
  Packet packet = multicast_with_a_lost_copy();
  packet.verdict = Verdict::kDelivered;
  packet.drops.clear();
  packet.copies.clear();
  packet.reader_closed = true;
  CHECK(end_of(packet) == "  delivered, closed by its reader, in 57.3 µs\n");
}

TEST_CASE("no line about losses is wider than 100 columns") {
  Names all = names();
  const InterfaceId device{kNode2, 88};
  all.netns[kNode2].name = "a-name-that-is-longer-than-anybody-wants";
  all.interfaces[device] = {device, "calico-fifteen1", "veth", Role::kPod, 1450};
  const std::string_view from = "2001:db8:1111:2222:3333:4444:5555:6666";
  const std::string_view to = "2001:db8:1111:2222:3333:4444:5555:7777";
  Packet packet = Builder(tcp("fd00:10:244:1::2", 40112, "fd00:10:96::10", 80, 0x18, 1, 1))
                      .hop(0, DPT_POINT_DEVICE_RECEIVE, device)
                      .hop(9000, DPT_POINT_DROP, device)
                      .now(tcp(from, 61002, to, 61003, 0x18, 1, 1))
                      .dropped(9000, device, 6, kNftDrop);
  packet.drop->tunnel = vxlan(from, to);
  packet.drop->part = Part{Part::Kind::kSegment, 4294967000, 1448};
  packet.segments = 18;
  packet.retransmission = true;
  packet.drops = {*packet.drop, *packet.drop};
  packet.drops[1].interface = kUplink;
  packet.drops[1].reason = 2;
  packet.drops[1].copy = true;
  packet.incomplete = Incomplete::kEventsLost;
  check_widths(packet, all);
}

TEST_CASE("drops at user space's queues have sentences") {
  for (const auto* function : {"nf_queue", "nf_reinject", "nfqnl_reinject", "nfqnl_recv_verdict",
                               "nfqnl_enqueue_packet", "nfqnl_flush"}) {
    CAPTURE(function);
    CHECK(contains(drop_site(function), "NFQUEUE"));
  }
}
