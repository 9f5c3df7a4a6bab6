#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "output/output.hpp"
#include "support/collecting_sink.hpp"
#include "support/sample_packets.hpp"
#include "verdict/drop_stack.hpp"
#include "words/drop_sites.hpp"
#include "words/hop_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

OutputOptions options() {
  setenv("TZ", "UTC", 1);
  tzset();
  OutputOptions options;
  options.pods = {address("10.244.1.2"), address("10.244.19.28"), address("fd00:10:244:1::2")};
  return options;
}

std::string print(const Packet& packet, const OutputOptions& options, const Names& names) {
  CollectingSink sink;
  REQUIRE(make_text_output(sink, options)->packet(packet, names));
  return sink.text;
}

std::string print(const Packet& packet) { return print(packet, options(), names()); }

std::string print_verbose(const Packet& packet) {
  OutputOptions verbose = options();
  verbose.verbose = true;
  return print(packet, verbose, names());
}

std::string interface_text(InterfaceId id, const Names& names) {
  Buffer out;
  append_interface(out, id, names, {});
  return fmt::to_string(out);
}

std::string summary_text(const Summary& summary) {
  CollectingSink sink;
  REQUIRE(make_text_output(sink, options())->summary(summary, names()));
  return sink.text;
}

std::string last_line(const std::string& text) {
  const std::size_t start = text.rfind('\n', text.size() - 2);
  return text.substr(start + 1, text.size() - start - 2);
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a ping across nodes is one block from socket to socket") {
  CHECK(print(ping_across_nodes()) ==
        R"(05:26:00.123456 out ICMP echo request 10.244.1.2 (default/client) → 10.244.2.3
                    id 11493 seq 1, 84 bytes
        0.0 µs  eth0 in pod default/client         sent
        1.2 µs  veth4722669f (pod default/client)  received (tc)
        3.1 µs  cni0 (bridge)                      received (tc)
        5.2 µs  cni0 (bridge)                      netfilter PREROUTING, FORWARD ipv4 accept
        9.1 µs  flannel.1 (overlay)                netfilter POSTROUTING ipv4 accept
       10.4 µs  flannel.1 (overlay)                sending (tc)
       13.0 µs  eth0 (uplink)                      netfilter OUTPUT, POSTROUTING ipv4 accept
                                                   VXLAN id 1 10.162.0.7 → 10.162.0.6
       15.8 µs  eth0 (uplink)                      sending (tc), in VXLAN
       21.5 µs  eth0 (uplink) in netns n2          received, in VXLAN
       33.3 µs  cni0 (bridge) in netns n2          sent
       38.1 µs  eth0 in netns n2-web               received
       57.3 µs  eth0 in netns n2-web               taken by a socket or protocol
  delivered in 57.3 µs
)");
}

TEST_CASE("a drop is told with device, reason, function and time") {
  CHECK(print(forwarding_off()) ==
        R"(05:26:00.123456 out ICMP echo reply 10.244.19.28 → 10.244.6.0 id 11493 seq 1, 84 bytes
        0.0 µs  veth4722669f (pod default/client)  received (tc)
        1.9 µs  cni0 (bridge)                      received (tc)
        2.1 µs  cni0 (bridge)                      netfilter PREROUTING ipv4 accept
  DROPPED at cni0 (bridge): IP_INADDRERRORS in ip_error+0x7e, after 41.2 µs
)");
}

TEST_CASE("NAT shows the new tuple on the line of the hook that made it") {
  CHECK(print(syn_to_service()) ==
        R"(05:26:00.123456 out TCP 10.244.1.2:40112 (default/client) → 10.96.0.10:80
                    SYN seq 1234567890, 60 bytes
        0.0 µs  veth4722669f (pod default/client)  received (tc)
        2.6 µs  cni0 (bridge)                      netfilter PREROUTING ipv4 accept
                                                   now 10.244.1.2:40112 → 10.244.2.3:8080
        4.1 µs  cni0 (bridge)                      netfilter FORWARD ipv4 accept
        6.1 µs  eth0 (uplink)                      netfilter POSTROUTING ipv4 accept
                                                   now 10.162.0.7:61002 → 10.244.2.3:8080
        8.1 µs  eth0 (uplink)                      sending (tc)
  left the node by eth0 (uplink) after 8.1 µs
)");
}

TEST_CASE("the netfilter hook that drops has a line of its own with the deciding function") {
  CHECK(
      print(syn_ack_ipv6()) ==
      R"(05:26:00.123456 in  TCP [fd00:10:244:2::3]:8080 → [fd00:10:244:1::2]:40112 (default/client)
                    SYN ACK seq 77 ack 1234567891, 60 bytes
        0.0 µs  eth0 (uplink)     received (tc)
        2.6 µs  eth0 (uplink)     netfilter PREROUTING ipv6 accept
        4.0 µs  eth0 (uplink)     netfilter FORWARD ipv6 drop by nft_do_chain_ipv4
  DROPPED at eth0 (uplink): NETFILTER_DROP in nft_do_chain+0x40f, after 4.1 µs
    by    a rule of nftables (nft_do_chain_ipv4), which one is not known
)");
}

TEST_CASE("verbose adds ids, every hook, function, CPU and skb where they change, and the stack") {
  Packet packet = forwarding_off();
  packet.hops[1].function = kIpRcv;
  packet.hops[2].cpu = 3;
  CHECK(
      print_verbose(packet) ==
      R"(05:26:00.123456 out ICMP echo reply 10.244.19.28 → 10.244.6.0 id 11493 seq 1, 84 bytes [packet 2a7]
        0.0 µs  veth4722669f (pod default/client)  received (tc)
                                                   cpu 1, skb ffff888103a4b200, 98 bytes
        1.9 µs  cni0 (bridge)                      received (tc), ip_rcv+0x33
        2.1 µs  cni0 (bridge)                      netfilter PREROUTING ipv4 accept, cpu 3
  DROPPED at cni0 (bridge): IP_INADDRERRORS in ip_error+0x7e, after 41.2 µs
    at ip_error+0x7e
    at ip_rcv+0x33
)");
  CHECK(contains(print_verbose(ping_across_nodes()), "netfilter FORWARD ipv4 accept\n"));
  CHECK(contains(print_verbose(ping_across_nodes()), "10.162.0.6 port 8472\n"));
}

TEST_CASE("without a reason the drop has its function and what is known of it") {
  Packet packet = forwarding_off();
  packet.drop->reason.reset();
  CHECK(contains(print(packet),
                 "\n  DROPPED at cni0 (bridge) in ip_error+0x7e, after 41.2 µs\n"
                 "    ip_error: no route, forwarding off "));
  packet.drop->reason = 2;
  CHECK(contains(print(packet), ": NOT_SPECIFIED in ip_error+0x7e, after 41.2 µs\n    ip_error: "));
  packet.drop->reason = 117;
  CHECK(contains(print(packet), ": reason 0x75 in ip_error+0x7e"));
  packet.drop->location = 0xffffffff81000010;
  packet.drop->stack.clear();
  packet.drop->interface = {};
  packet.drop->reason.reset();
  CHECK(last_line(print(packet)) == "  DROPPED in 0xffffffff81000010, after 41.2 µs");
}

TEST_CASE("a drop freed by a helper is laid to the helper's caller") {
  Packet packet = forwarding_off();
  packet.drop->location = kKfreeSkbList;
  packet.drop->stack = {kKfreeSkbList, kDevQueueXmit, kIpRcv};
  CHECK(contains(print_verbose(packet),
                 " in __dev_queue_xmit+0x40f, after 41.2 µs\n"
                 "    at __dev_queue_xmit+0x40f\n    at ip_rcv+0x33\n"));
  packet.drop->stack.clear();
  CHECK(contains(print(packet), " in kfree_skb_list+0x2a"));
  CHECK(is_freeing_helper("kfree_skb_list_reason"));
  CHECK(is_freeing_helper("bpf_trace_run3"));
  CHECK_FALSE(is_freeing_helper("ip_error"));
  CHECK(source_name("ip_rcv_finish_core.constprop.0") == "ip_rcv_finish_core");
}

TEST_CASE(
    "a function in the table of drop sites has a sentence, whatever the compiler appended to it") {
  CHECK(drop_site("ip_rcv_finish_core.constprop.0") == drop_site("ip_rcv_finish_core"));
  CHECK(drop_site("never_heard_of").empty());
  for (const auto* function :
       {"tcp_rcv_state_process", "__netif_receive_skb_core", "netif_receive_generic_xdp",
        "udpv6_queue_rcv_one_skb", "neigh_invalidate", "br_handle_frame_finish", "ip_tunnel_xmit",
        "__dev_queue_xmit", "net_tx_action", "ip_forward"}) {
    CAPTURE(function);
    CHECK_FALSE(drop_site(function).empty());
  }
}

TEST_CASE("every verdict has its last line") {
  Packet packet = syn_to_service();
  packet.verdict = Verdict::kUnfinished;
  CHECK(last_line(print(packet)) ==
        "  unfinished: last seen at eth0 (uplink), sending (tc), after 8.1 µs");
  packet.verdict = Verdict::kStolen;
  CHECK(last_line(print(packet)) ==
        "  stolen: taken over by another layer at eth0 (uplink) after 8.1 µs");
  packet.merged_into = 0x44;
  CHECK(last_line(print(packet)) ==
        "  merged by GRO into an earlier packet of the flow at eth0 (uplink) after 8.1 µs");
  CHECK(contains(print_verbose(packet), "of the flow [packet 44] at"));
  packet.merged_into = 0;
  packet.segments = 3;
  packet.verdict = Verdict::kDelivered;
  CHECK(last_line(print(packet)) == "  delivered in 8.1 µs, in 3 parts");
  packet.verdict = Verdict::kDropped;
  CHECK(last_line(print(packet)) == "  DROPPED at eth0 (uplink), in 3 parts");
}

TEST_CASE("an end that is no loss does not shout") {
  Packet packet = forwarding_off();
  packet.drop->loss = false;
  CHECK(last_line(print(packet)) ==
        "  freed, no loss, at cni0 (bridge): IP_INADDRERRORS in ip_error+0x7e, after 41.2 µs");
  packet.verdict = Verdict::kDelivered;
  CHECK(contains(print(packet), "\n  delivered in 41.2 µs\n  freed, no loss, at cni0"));
}

TEST_CASE("a drop that is also a hop is told once") {
  Packet packet = forwarding_off();
  Hop drop = packet.hops.back();
  drop.netfilter.reset();
  drop.point = DPT_POINT_DROP;
  drop.time_ns = packet.drop->time_ns;
  const std::string before = print(packet);
  packet.hops.push_back(drop);
  CHECK(print(packet) == before);
}

TEST_CASE("the direction is the pod's, also when NAT brings the pod in later") {
  CHECK(print(forwarding_off()).substr(16, 4) == "out ");
  Packet to_service = Builder(tcp("192.0.2.1", 5, "10.96.0.10", 80, 2, 1, 0))
                          .hop(0, DPT_POINT_TC_INGRESS, kUplink)
                          .hop(10, DPT_POINT_TC_EGRESS, kCni0)
                          .now(tcp("192.0.2.1", 5, "10.244.1.2", 8080, 2, 1, 0));
  CHECK(print(to_service).substr(16, 4) == "in  ");
  Packet other = Builder(icmp("192.0.2.1", "192.0.2.2", 8, 1, 1)).hop(0, DPT_POINT_DROP, kUplink);
  CHECK(print(other).substr(16, 8) == "    ICMP");
  CHECK(print(other, OutputOptions{}, names()).substr(16, 4) == "ICMP");
  Packet between = Builder(icmp("10.244.1.2", "10.244.19.28", 8, 1, 1))
                       .hop(0, DPT_POINT_DEVICE_TRANSMIT, kClientEth0);
  CHECK(print(between).substr(16, 8) == "    ICMP");
}

TEST_CASE("names cannot command the terminal") {
  Names all = names();
  all.interfaces[kVeth].name = "a\x1b[31mb\xc2\x9b";
  CHECK(interface_text(kVeth, all) == "a?[31mb? (pod default/client)");
  // Those of a recording come from anywhere.
  all.reasons[6] = "R\x1b]0;";
  all.symbols[kNftDrop].name = "f\x1b[2J";
  all.symbols[kNftDoChainIpv4].name = "g\x1b[2J";
  OutputOptions verbose = options();
  verbose.verbose = true;
  for (const OutputOptions& one : {options(), verbose}) {
    const std::string text = print(syn_ack_ipv6(), one, all);
    CHECK(contains(text, "R?]0; in f?[2J+0x40f"));
    CHECK_FALSE(contains(text, "\x1b"));
  }
  Packet taken = taken_by_hook(kNftDoChainIpv4);
  CHECK_FALSE(contains(print(taken, options(), all), "\x1b"));
  Summary summary;
  summary.drops = {{"R\x1b]0;", 1}};
  CHECK(contains(summary_text(summary), "1  R?]0;\n"));
}

TEST_CASE("what left the node did so by the device of the copy that left") {
  Packet packet = syn_to_service();
  packet.copies = {{kUplink, Verdict::kLeftNode}, {kWebEth0, Verdict::kUnfinished}};
  packet.hops.back().interface = kWebEth0;
  CHECK(last_line(print(packet)) ==
        "  left the node by eth0 (uplink) after 8.1 µs (1 of 2 copies)");
}

TEST_CASE("a point that this version does not know prints as its number") {
  Packet packet = Builder(icmp("10.0.0.1", "10.0.0.2", 8, 1, 1)).hop(0, dpt_point(200), kCni0);
  CHECK(contains(print(packet), "cni0 (bridge)     point 200\n"));
}

TEST_CASE("a hook that this version does not know prints as its number") {
  Packet packet = Builder(icmp("10.0.0.1", "10.0.0.2", 8, 1, 1)).netfilter(0, 9, kCni0);
  packet.hops[0].netfilter->family = 99;
  CHECK(contains(print(packet), "netfilter hook 9 family 99 accept"));
}

TEST_CASE("no line is wider than 100 columns") {
  CollectingSink sink;
  const auto output = make_text_output(sink, options());
  for (const Packet& packet :
       {ping_across_nodes(), forwarding_off(), syn_to_service(), syn_ack_ipv6()}) {
    output->packet(packet, names());
  }
  for (const std::string& line : sink.lines()) {
    CAPTURE(line);
    CHECK(columns(line) <= kColumns);
  }
}

TEST_CASE("a list of hooks that is too wide goes on below itself") {
  Names all = names();
  all.netns[kNode2].name = "worker-2-of-rack-17";
  const Packet packet = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 11493, 1))
                            .hop(0, DPT_POINT_DEVICE_RECEIVE, kNode2Cni0)
                            .netfilter(1000, 0, kNode2Cni0)
                            .netfilter(2000, 2, kNode2Cni0)
                            .netfilter(3000, 4, kNode2Cni0);
  CHECK(print(packet, options(), all) ==
        R"(05:26:00.123456 out ICMP echo request 10.244.1.2 (default/client) → 10.244.2.3
                    id 11493 seq 1, 84 bytes
        0.0 µs  cni0 (bridge) in netns worker-2-of-rack-17  received
        1.0 µs  cni0 (bridge) in netns worker-2-of-rack-17  netfilter PREROUTING, FORWARD,
                                                            POSTROUTING ipv4 accept
  unfinished: last seen at cni0 (bridge) in netns worker-2-of-rack-17,
    netfilter POSTROUTING ipv4 accept, after 3.0 µs
)");
}

TEST_CASE("wide names leave their column, and nothing is wider than 100 columns") {
  Names all = names();
  const InterfaceId device{kNode2, 88};
  all.netns[kNode2].name = "a-name-that-is-longer-than-anybody-wants";
  all.interfaces[device] = {device, "calico-fifteen1", "veth", Role::kPod, 1450};
  const bool dropped = GENERATE(false, true);
  Builder builder(icmp("fd00:10:244:1::2", "fd00:10:244:2::3", 128, 11493, 1));
  builder.hop(0, DPT_POINT_DEVICE_RECEIVE, device);
  dpt_tunnel tunnel =
      vxlan("2001:db8:1111:2222:3333:4444:5555:6666", "2001:db8:1111:2222:3333:4444:5555:7777");
  Packet packet = builder.hop(500, DPT_POINT_DEVICE_TRANSMIT, device).netfilter(1000, 0, device);
  packet.hops[1].tunnel = tunnel;
  if (dropped) {
    packet.verdict = Verdict::kDropped;
    packet.drop = Drop{};
    packet.drop->interface = device;
    packet.drop->reason = 9;
    packet.drop->location = kIpError;
  }
  CollectingSink sink;
  make_text_output(sink, options())->packet(packet, all);
  CHECK(sink.lines().size() > 6);
  for (const std::string& line : sink.lines()) {
    CAPTURE(line);
    CHECK(columns(line) <= kColumns);
  }
}

TEST_CASE("colour changes nothing but colour") {
  OutputOptions coloured = options();
  coloured.colour = true;
  const std::string with = print(syn_ack_ipv6(), coloured, names());
  CHECK(contains(with, "\x1b[1;31mDROPPED\x1b[0m"));
  std::string without;
  bool code = false;
  for (const char c : with) {
    code = code || c == '\x1b';
    if (!code) without += c;
    code = code && c != 'm';
  }
  CHECK(without == print(syn_ack_ipv6()));
  CHECK_FALSE(contains(print(syn_ack_ipv6()), "\x1b"));
}

TEST_CASE("blocks are parted by a blank line and stop when nobody reads") {
  CollectingSink sink;
  const auto output = make_text_output(sink, options());
  CHECK(output->packet(forwarding_off(), names()));
  CHECK(output->packet(forwarding_off(), names()));
  CHECK(contains(sink.text, "µs\n\n05:26"));
  sink.gone = true;
  CHECK_FALSE(output->packet(forwarding_off(), names()));
  CHECK_FALSE(output->summary(Summary{}, names()));
}

TEST_CASE("the summary counts verdicts, drops and events") {
  Summary summary;
  summary.packets = {10, 1, 3, 0, 2};
  summary.drops = {{"IP_INADDRERRORS", 1}, {"NETFILTER_DROP", 2}};
  summary.events = 147;
  summary.duration_ns = 10'000'000'000;
  CHECK(summary_text(summary) ==
        "16 packets in 10.000 s: 10 delivered, 1 left the node, 3 DROPPED, 2 unfinished\n"
        "         2  NETFILTER_DROP\n"
        "         1  IP_INADDRERRORS\n"
        "147 events, none lost\n");
  CHECK(summary_text(Summary{}) == "0 packets in 0.0 µs\n0 events, none lost\n");
  summary.lost_copies = 2;
  CHECK(contains(summary_text(summary),
                 "3 DROPPED, 2 unfinished; of 2 not lost a copy was DROPPED\n"));
}

TEST_CASE("lost events and forgotten packets are warned of with what to do") {
  Summary summary;
  summary.events = 1;
  summary.events_lost = 12;
  summary.forgotten = 1;
  const std::string text = summary_text(summary);
  CHECK(contains(text, "1 event, 12 lost\nwarning: "));
  CHECK(contains(text, "--ring-size"));
  CHECK(contains(text, "1 packet was ended early"));
}
