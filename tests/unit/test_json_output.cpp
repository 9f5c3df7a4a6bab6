#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "output/output.hpp"
#include "support/collecting_sink.hpp"
#include "support/sample_packets.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using Json = nlohmann::ordered_json;

namespace {

std::string print(const Packet& packet, const Names& names = sample::names()) {
  CollectingSink sink;
  REQUIRE(make_json_output(sink, {})->packet(packet, names));
  return sink.text;
}

Json parse(const Packet& packet, const Names& names = sample::names()) {
  return Json::parse(print(packet, names));
}

Json flow_of(const dpt_flow& flow) {
  return parse(Builder(flow).hop(0, DPT_POINT_TC_INGRESS, kVeth))["flow"];
}

}  // namespace

TEST_CASE("a dropped packet is the contract's object, member by member") {
  CHECK(
      print(forwarding_off()) ==
      R"({"type":"packet","schema_version":1,"packet_id":"00000000000002a7","node_name":"worker-1",)"
      R"("time":"2026-11-21T05:26:00.123456789Z","verdict":"dropped","duration_ns":41250,"length":84,)"
      R"("flow":{"family":"ipv4","protocol":"icmp","source":{"ip":"10.244.19.28"},)"
      R"("destination":{"ip":"10.244.6.0"},"icmp":{"type":0,"code":0,"id":11493,"sequence":1}},"hops":[)"
      R"({"offset_ns":0,"point":"tc-ingress","interface":{"name":"veth4722669f","index":33,)"
      R"("kind":"veth","role":"pod","netns":"4026531840","pod":"default/client"}},)"
      R"({"offset_ns":1900,"point":"tc-ingress","interface":{"name":"cni0","index":31,)"
      R"("kind":"bridge","role":"bridge","netns":"4026531840"}},)"
      R"({"offset_ns":2100,"point":"netfilter","netfilter":{"family":"ipv4","hook":"PREROUTING",)"
      R"("verdict":"accept"},"interface":{"name":"cni0","index":31,"kind":"bridge","role":"bridge",)"
      R"("netns":"4026531840"}}],"drop":{"reason":"IP_INADDRERRORS","reason_code":9,)"
      R"("location":"ip_error+0x7e","interface":{"name":"cni0","index":31,"kind":"bridge",)"
      R"("role":"bridge","netns":"4026531840"},"stack":["ip_error","ip_rcv"]}})"
      "\n");
}

TEST_CASE("a hop has its function, tunnel and, after NAT, its flow") {
  Packet packet = syn_to_service();
  packet.hops[0].function = kIpRcv;
  packet.hops[3].tunnel = vxlan("10.162.0.7", "10.162.0.6");
  const Json hops = parse(packet)["hops"];
  CHECK(hops[0]["function"] == "ip_rcv");
  CHECK_FALSE(hops[0].contains("flow"));
  CHECK(hops[1]["flow"]["destination"] == Json({{"ip", "10.244.2.3"}, {"port", 8080}}));
  CHECK(
      hops[3]["tunnel"] ==
      Json(
          {{"kind", "vxlan"}, {"id", 1}, {"source", "10.162.0.7"}, {"destination", "10.162.0.6"}}));
  CHECK(parse(syn_ack_ipv6())["hops"][2]["netfilter"] == Json({{"family", "ipv6"},
                                                               {"hook", "FORWARD"},
                                                               {"verdict", "drop"},
                                                               {"function", "nft_do_chain_ipv4"}}));
}

TEST_CASE("TCP has ports, flags by name, sequence and acknowledgment") {
  dpt_flow flow = tcp("10.244.1.2", 40112, "fd00::2", 80, 0x12, 7, 8);
  flow.ip_id = 4660;
  const Json json = flow_of(flow);
  CHECK(json["source"] == Json({{"ip", "10.244.1.2"}, {"port", 40112}, {"pod", "default/client"}}));
  CHECK(json["destination"]["ip"] == "fd00::2");
  CHECK(json["tcp"] == Json({{"flags", {"SYN", "ACK"}}, {"sequence", 7}, {"acknowledgment", 8}}));
  CHECK(json["ip_id"] == 4660);
  CHECK_FALSE(
      flow_of(tcp("10.0.0.1", 1, "10.0.0.2", 2, 2, 7, 0))["tcp"].contains("acknowledgment"));
}

TEST_CASE("a fragment without its layer 4 header tells none of it") {
  dpt_flow flow = tcp("10.0.0.1", 1, "10.0.0.2", 2, 2, 7, 0);
  flow.fragment = 0x2000 | 185;
  const Json json = flow_of(flow);
  CHECK_FALSE(json.contains("tcp"));
  CHECK_FALSE(json["source"].contains("port"));
  CHECK(json["fragment"] == Json({{"offset", 1480}, {"more", true}}));
}

TEST_CASE("protocols have names, and numbers where they have none") {
  CHECK(flow_of(flow("10.0.0.1", "10.0.0.2", 132))["protocol"] == "sctp");
  CHECK(flow_of(flow("fd00::1", "fd00::2", 58))["protocol"] == "icmpv6");
  CHECK(flow_of(flow("10.0.0.1", "10.0.0.2", 253))["protocol"] == "253");
}

TEST_CASE("what is not known is left out") {
  Names none;
  Packet packet = forwarding_off();
  packet.drop->reason = 117;
  packet.hops[0].interface = {0, 33};
  packet.hops[1].interface = {};
  packet.hops[1].point = 200;
  Json json = parse(packet, none);
  CHECK_FALSE(json.contains("node_name"));
  CHECK_FALSE(json["drop"].contains("reason"));
  CHECK(json["drop"]["reason_code"] == 117);
  CHECK(json["drop"]["location"] == "0xffffffff81a0107e");
  CHECK(json["hops"][0]["interface"] == Json({{"index", 33}}));
  CHECK(json["hops"][1] == Json({{"offset_ns", 1900}}));
  packet.drop->reason.reset();
  CHECK_FALSE(parse(packet, none)["drop"].contains("reason_code"));
  CHECK_FALSE(parse(ping_across_nodes()).contains("drop"));
  for (Hop& hop : packet.hops) hop.flow = {};
  json = parse(packet, none);
  CHECK_FALSE(json.contains("flow"));
  CHECK_FALSE(json.contains("length"));
}

TEST_CASE("the stack of a drop leaves out the helpers that only free") {
  Packet packet = forwarding_off();
  packet.drop->location = kKfreeSkbList;
  packet.drop->stack = {kKfreeSkbList, kDevQueueXmit, 0xffffffff81000010};
  const Json drop = parse(packet)["drop"];
  CHECK(drop["location"] == "__dev_queue_xmit+0x40f");
  CHECK(drop["stack"] == Json({"__dev_queue_xmit", "0xffffffff81000010"}));
}

TEST_CASE("additions to the contract appear only where they say something") {
  Packet packet = forwarding_off();
  CHECK_FALSE(parse(packet)["drop"].contains("loss"));
  packet.drop->loss = false;
  packet.segments = 2;
  packet.merged_into = 0x44;
  const Json json = parse(packet);
  CHECK(json["drop"]["loss"] == false);
  CHECK(json["segments"] == 2);
  CHECK(json["merged_into"] == "0000000000000044");
}

TEST_CASE("a lost part has its kind, offset and length, and all losses are listed") {
  const Json one = parse(lost_segments({3}));
  CHECK(one["drop"]["part"] == Json({{"kind", "segment"}, {"offset", 4048}, {"length", 1448}}));
  CHECK_FALSE(one.contains("drops"));
  CHECK_FALSE(one["drop"].contains("copy"));
  CHECK(one["segments"] == 18);
  CHECK(one["part_kind"] == "segment");
  const Json two = parse(lost_segments({3, 9}));
  REQUIRE(two["drops"].size() == 2);
  CHECK(two["drops"][1]["part"]["offset"] == 12736);
  CHECK(two["drops"][1]["offset_ns"] == 9009);
  CHECK(two["drops"][1]["reason"] == "NETFILTER_DROP");
  Packet fragment = lost_segments({3});
  fragment.drop->part = Part{Part::Kind::kFragment, 1480, 1480};
  CHECK(parse(fragment)["drop"]["part"] ==
        Json({{"kind", "fragment"}, {"offset", 1480}, {"length", 1480}}));
}

TEST_CASE("copies have their verdicts, and the lost one its drop") {
  const Json json = parse(multicast_with_a_lost_copy());
  CHECK(json["verdict"] == "delivered");
  CHECK_FALSE(json.contains("drop"));
  REQUIRE(json["drops"].size() == 1);
  CHECK(json["drops"][0]["copy"] == true);
  REQUIRE(json["copies"].size() == 2);
  CHECK(json["copies"][0]["verdict"] == "delivered");
  CHECK_FALSE(json["copies"][0].contains("drop"));
  CHECK(json["copies"][1]["interface"]["name"] == "eth0");
  CHECK(json["copies"][1]["verdict"] == "dropped");
  CHECK(json["copies"][1]["drop"]["reason"] == "NETFILTER_DROP");
  CHECK_FALSE(parse(ping_across_nodes()).contains("copies"));
}

TEST_CASE("each lost copy has a drop of its own") {
  Packet packet = multicast_with_a_lost_copy();
  packet.copies.push_back({kVeth, Verdict::kDropped});
  packet.copies.push_back({kCni0, Verdict::kDropped});
  packet.drops.push_back(drop_at(42000, kVeth, 9, kIpError));
  packet.drops.back().copy = true;
  const Json copies = parse(packet)["copies"];
  CHECK(copies[1]["drop"]["reason"] == "NETFILTER_DROP");
  CHECK(copies[2]["drop"]["reason"] == "IP_INADDRERRORS");
  CHECK_FALSE(copies[3].contains("drop"));
}

TEST_CASE("the drop says in which tunnel the packet died") {
  Packet packet = forwarding_off();
  packet.drop->tunnel = ipip("192.168.56.11", "192.168.56.12");
  CHECK(parse(packet)["drop"]["tunnel"] ==
        Json({{"kind", "ipip"}, {"source", "192.168.56.11"}, {"destination", "192.168.56.12"}}));
}

TEST_CASE("a packet that may lack hops is not complete, and why") {
  Packet packet = forwarding_off();
  CHECK_FALSE(parse(packet).contains("complete"));
  packet.incomplete = Incomplete::kEventsLost;
  CHECK(parse(packet)["complete"] == false);
  CHECK(parse(packet)["incomplete_because"] == "events-lost");
  packet.incomplete = Incomplete::kNotArmed;
  CHECK(parse(packet)["incomplete_because"] == "not-armed");
}

TEST_CASE("what nobody wanted and what found no room is told") {
  Packet packet = ping_across_nodes();
  CHECK_FALSE(parse(packet).contains("nobody_wanted"));
  CHECK_FALSE(parse(packet).contains("reader_closed"));
  CHECK_FALSE(parse(packet).contains("events_left_out"));
  packet.nobody_wanted = true;
  packet.reader_closed = true;
  packet.unanswered = true;
  packet.left_out = 7;
  CHECK(parse(packet)["nobody_wanted"] == true);
  CHECK(parse(packet)["reader_closed"] == true);
  CHECK(parse(packet)["unanswered"] == true);
  CHECK(parse(packet)["events_left_out"] == 7);
}

TEST_CASE("a retransmission is a note of TCP, and its hops are all there") {
  Packet packet = syn_to_service();
  CHECK_FALSE(parse(packet)["flow"]["tcp"].contains("notes"));
  packet.retransmission = true;
  CollectingSink sink;
  const auto output = make_json_output(sink, {});
  output->packet(packet, names());
  output->packet(packet, names());
  const Json json = Json::parse(sink.lines()[1]);
  CHECK(json["flow"]["tcp"]["notes"] == Json({"retransmission"}));
  CHECK(json["hops"].size() == 5);
  CHECK_FALSE(json["hops"][1]["flow"]["tcp"].contains("notes"));
}

TEST_CASE("a loop's hops are all there") { CHECK(parse(loop_of(62, 64))["hops"].size() == 125); }

TEST_CASE("the flow is that of the first hop which has one") {
  Packet packet = Builder(dpt_flow{})
                      .netfilter(0, 3, kClientEth0, -1, kNftDoChainIpv4)
                      .hop(100, DPT_POINT_DROP, kClientEth0)
                      .now(icmp("10.244.1.2", "10.244.2.3", 8, 11493, 1))
                      .dropped(100, kClientEth0, 6, kNftDrop);
  const Json json = parse(packet);
  CHECK(json["flow"]["source"]["ip"] == "10.244.1.2");
  CHECK(json["length"] == 84);
  CHECK_FALSE(json["hops"][1].contains("flow"));
}

TEST_CASE("a device name that is not UTF-8 still makes valid JSON") {
  Names names = sample::names();
  names.interfaces[kVeth].name = "bad\xff\"name";
  CHECK(parse(forwarding_off(), names)["hops"][0]["interface"]["name"] == "bad\xef\xbf\xbd\"name");
}

TEST_CASE("the summary is the contract's object") {
  CollectingSink sink;
  Summary summary;
  summary.packets[static_cast<std::size_t>(Verdict::kDropped)] = 1;
  summary.events = 14;
  summary.duration_ns = 10'000'000'000;
  const auto output = make_json_output(sink, {});
  CHECK(output->summary(summary, names()));
  CHECK(sink.text ==
        R"({"type":"summary","schema_version":1,"node_name":"worker-1","packets":1,"dropped":1,)"
        R"("events":14,"events_lost":0,"duration_ns":10000000000})"
        "\n");
  summary.lost_copies = 2;
  sink.text.clear();
  output->summary(summary, names());
  CHECK(Json::parse(sink.text)["packets_with_dropped_copies"] == 2);
  sink.gone = true;
  CHECK_FALSE(output->packet(forwarding_off(), names()));
}
