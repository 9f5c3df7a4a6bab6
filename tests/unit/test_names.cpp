#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "model/foreign.hpp"
#include "support/printed.hpp"

using namespace dptrace;
using namespace dptrace::sample;
using Json = nlohmann::json;

namespace {

constexpr std::uint64_t kChange = kStart + 1'000'000'000;

/// The client's netns and address are another pod's from kChange on.
Names reused() {
  Names names = sample::names();
  names.begin_netns(kClient, kChange);
  names.netns[kClient] = {"cni-2", "default/next"};
  Interface eth0;
  eth0.id = kClientEth0;
  eth0.name = "net1";
  eth0.peer_netns = kHome;
  names.interfaces[kClientEth0] = eth0;
  names.begin_pod(address("10.244.1.2"), "default/next", kChange);
  return names;
}

/// From the client's netns through the veth on the node.
Packet packet_at(std::uint64_t time_ns) {
  Packet packet = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 7, 1))
                      .hop(0, DPT_POINT_DEVICE_TRANSMIT, kClientEth0)
                      .hop(1, DPT_POINT_TC_INGRESS, kVeth);
  for (auto& hop : packet.hops) hop.time_ns = time_ns + (hop.time_ns - kStart);
  return packet;
}

Json json_of(const Packet& packet, const Names& names) {
  CollectingSink sink;
  REQUIRE(make_json_output(sink, {})->packet(packet, names));
  return Json::parse(sink.text);
}

}  // namespace

TEST_CASE("a number or address that was given to another keeps the names of its time") {
  const Names names = reused();
  const auto old = printed(packet_at(kChange - 1000), names);
  CHECK(contains(old, "10.244.1.2 (default/client)"));
  CHECK(contains(old, "eth0 in pod default/client"));
  CHECK(contains(old, "veth4722669f (pod default/client)"));
  CHECK_FALSE(contains(old, "next"));
  const auto next = printed(packet_at(kChange), names);
  CHECK(contains(next, "10.244.1.2 (default/next)"));
  CHECK(contains(next, "net1 in pod default/next"));
  CHECK(contains(next, "veth4722669f (pod default/next)"));
  CHECK_FALSE(contains(next, "client"));
}

TEST_CASE("JSON has the pod of an interface at the time of the hop: the one it is in or leads to") {
  const Names names = reused();
  const Json old = json_of(packet_at(kChange - 1000), names);
  CHECK(old["flow"]["source"]["pod"] == "default/client");
  CHECK(old["hops"][0]["interface"]["name"] == "eth0");
  CHECK(old["hops"][0]["interface"]["pod"] == "default/client");
  CHECK(old["hops"][1]["interface"]["pod"] == "default/client");
  const Json next = json_of(packet_at(kChange), names);
  CHECK(next["flow"]["source"]["pod"] == "default/next");
  CHECK(next["hops"][0]["interface"]["name"] == "net1");
  CHECK(next["hops"][0]["interface"]["pod"] == "default/next");
  CHECK(next["hops"][1]["interface"]["pod"] == "default/next");
}

TEST_CASE("of several owners each has its time") {
  Names names;
  names.netns[5] = {"a", ""};
  names.begin_netns(5, 100);
  names.begin_netns(5, 200);  // of which nothing was known
  names.netns[5] = {"c", ""};
  CHECK(names.netns_at(5, 99)->name == "a");
  CHECK(names.netns_at(5, 100)->name.empty());
  CHECK(names.netns_at(5, 199)->name.empty());
  CHECK(names.netns_at(5, 200)->name == "c");
  CHECK(names.netns_at(5, kLatest)->name == "c");
  CHECK(names.netns_at(6, 100) == nullptr);
  names.former_netns.keep([](std::uint32_t, std::uint64_t until_ns) { return until_ns > 100; });
  CHECK(names.netns_at(5, 99)->name.empty());
  names.former_netns.keep([](std::uint32_t, std::uint64_t) { return false; });
  CHECK(names.former_netns.all().empty());
}

TEST_CASE("with another node in view the home one is named, too") {
  Names names = sample::names();
  names.netns[kNode2].is_node = true;
  const Packet packet = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 7, 1))
                            .hop(0, DPT_POINT_TC_INGRESS, kCni0)
                            .hop(1, DPT_POINT_DEVICE_RECEIVE, kNode2Cni0);
  CHECK(contains(printed(packet, names), "cni0 (bridge) on this node "));
  CHECK(contains(printed(packet, names), "cni0 (bridge) in netns n2 "));
  names.netns[kHome] = {"n1", ""};
  CHECK(contains(printed(packet, names), "cni0 (bridge) in netns n1 "));
  const Packet at_home = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 7, 1))
                             .hop(0, DPT_POINT_TC_INGRESS, kCni0)
                             .hop(1, DPT_POINT_DEVICE_RECEIVE, kClientEth0);
  CHECK_FALSE(contains(printed(at_home, names), "in netns n1"));
}

TEST_CASE("what leads to another node is no pod, and Open vSwitch's own port no bridge") {
  Names names = sample::names();
  names.netns[kNode2].is_node = true;
  auto& port = names.interfaces[kVeth];
  port.role = Role::kOther;
  port.peer_netns = kNode2;
  auto& gateway = names.interfaces[kCni0];
  gateway.name = "antrea-gw0";
  gateway.kind = "openvswitch";
  gateway.role = Role::kOther;
  const Packet packet = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 7, 1))
                            .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                            .hop(1, DPT_POINT_DEVICE_RECEIVE, kCni0);
  CHECK(contains(printed(packet, names), "veth4722669f (to netns n2) "));
  CHECK(contains(printed(packet, names), "antrea-gw0 (port of Open vSwitch) "));
  CHECK_FALSE(json_of(packet, names)["hops"][0]["interface"].contains("pod"));
}

TEST_CASE("names of others are valid, bounded and command nothing") {
  CHECK(clean_name("eth0.7-ü→") == "eth0.7-ü→");
  CHECK(clean_name("a\x1b[31m\n") == "a\xef\xbf\xbd[31m\xef\xbf\xbd");
  CHECK(clean_name("\xc2\x9b"
                   "2J") ==
        "\xef\xbf\xbd"
        "2J");
  CHECK(clean_name("\xff\xc3") == "\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(clean_name("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
  CHECK(clean_name("\xe2\x80\xae") == "\xef\xbf\xbd");
  CHECK(clean_name(std::string(10'000, 'x')).size() == kLongestName);
  CHECK(clean_name(std::string(10'000, '\x01')).size() <= kLongestName);
  CHECK(clean_name("").empty());
}

TEST_CASE("JSON may be neither deep nor of very many values") {
  CHECK(is_modest_json(R"({"a":[1,2,{"b":"[[[[\"[[["}]})"));
  CHECK(is_modest_json(std::string(32, '[') + std::string(32, ']')));
  CHECK_FALSE(is_modest_json(std::string(33, '[')));
  CHECK_FALSE(is_modest_json(std::string(600'000, ',')));
  CHECK(is_modest_json('"' + std::string(600'000, ',') + '"'));
}
