#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "support/sample_packets.hpp"
#include "words/flow_words.hpp"
#include "words/hop_words.hpp"
#include "words/netfilter_words.hpp"
#include "words/time_text.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

std::string flow_text(const dpt_flow& flow, const Names& names = {}) {
  FlowWords words;
  write_flow(words, flow, names, kLatest);
  return std::string(view(words.text));
}

std::string interface_text(InterfaceId id, const Names& names) {
  Buffer out;
  append_interface(out, id, names, {});
  return fmt::to_string(out);
}

std::string duration_text(std::uint64_t ns) {
  Buffer out;
  append_duration(out, ns);
  return fmt::to_string(out);
}

}  // namespace

TEST_CASE("flows are told in words") {
  CHECK(flow_text(icmp("10.244.19.28", "10.244.6.0", 0, 11493, 1)) ==
        "ICMP echo reply 10.244.19.28 → 10.244.6.0 id 11493 seq 1, 84 bytes");
  CHECK(flow_text(icmp("fd00::1", "fd00::2", 128, 7, 9)) ==
        "ICMPv6 echo request fd00::1 → fd00::2 id 7 seq 9, 84 bytes");
  CHECK(flow_text(icmp("fe80::1", "ff02::1:ff00:2", 135, 0, 0)) ==
        "ICMPv6 neighbour solicitation fe80::1 → ff02::1:ff00:2, 84 bytes");
  dpt_flow error = icmp("10.0.0.1", "10.0.0.2", 3, 0, 0);
  error.l4.icmp.code = 4;
  CHECK(flow_text(error) ==
        "ICMP destination unreachable: fragmentation needed 10.0.0.1 → 10.0.0.2, 84 bytes");
  error.l4.icmp.code = 99;
  CHECK(flow_text(error) == "ICMP destination unreachable code 99 10.0.0.1 → 10.0.0.2, 84 bytes");
  error.l4.icmp.type = 200;
  CHECK(flow_text(error) == "ICMP type 200 code 99 10.0.0.1 → 10.0.0.2, 84 bytes");
  CHECK(flow_text(tcp("10.0.0.1", 1, "10.0.0.2", 2, 0x19, 5, 6)) ==
        "TCP 10.0.0.1:1 → 10.0.0.2:2 FIN PSH ACK seq 5 ack 6, 60 bytes");
  CHECK(flow_text(tcp("fd00::1", 1, "fd00::2", 2, 0x04, 5, 0)) ==
        "TCP [fd00::1]:1 → [fd00::2]:2 RST seq 5, 60 bytes");
  dpt_flow udp = flow("10.0.0.1", "10.0.0.2", 17);
  udp.l4.port = {53, 4096};
  CHECK(flow_text(udp) == "UDP 10.0.0.1:53 → 10.0.0.2:4096, 84 bytes");
  udp.protocol = 132;
  CHECK(flow_text(udp) == "SCTP 10.0.0.1:53 → 10.0.0.2:4096, 84 bytes");
  CHECK(flow_text(flow("10.0.0.1", "10.0.0.2", 47)) == "GRE 10.0.0.1 → 10.0.0.2, 84 bytes");
  CHECK(flow_text(flow("10.0.0.1", "10.0.0.2", 253)) ==
        "IP protocol 253 10.0.0.1 → 10.0.0.2, 84 bytes");
  CHECK(flow_text(dpt_flow{}) == "packet without a readable IP header, 0 bytes");
}

TEST_CASE("fragments are told by their offset") {
  dpt_flow udp = flow("10.0.0.1", "10.0.0.2", 17);
  udp.l4.port = {53, 4096};
  udp.ip_id = 4660;
  udp.length = 1500;
  udp.fragment = 0x2000;
  CHECK(flow_text(udp) ==
        "UDP 10.0.0.1:53 → 10.0.0.2:4096, first fragment, IP id 4660, 1500 bytes");
  udp.fragment = 0x2000 | 185;
  udp.l4.port = {};
  CHECK(flow_text(udp) == "UDP fragment at 1480 10.0.0.1 → 10.0.0.2, IP id 4660, 1500 bytes");
  udp.fragment = 0x4000;
  udp.l4.port = {53, 4096};
  CHECK(flow_text(udp) == "UDP 10.0.0.1:53 → 10.0.0.2:4096, 1500 bytes");
}

TEST_CASE("tunnels are told by kind, id and outer addresses") {
  const auto tunnel_text = [](dpt_tunnel_kind kind, std::uint32_t id) {
    dpt_tunnel tunnel = vxlan("10.0.0.1", "10.0.0.2");
    tunnel.kind = static_cast<std::uint8_t>(kind);
    tunnel.id = id;
    Buffer out;
    append_tunnel(out, tunnel);
    return fmt::to_string(out);
  };
  CHECK(tunnel_text(DPT_TUNNEL_VXLAN, 0) == "VXLAN id 0 10.0.0.1 → 10.0.0.2");
  CHECK(tunnel_text(DPT_TUNNEL_GENEVE, 7) == "Geneve id 7 10.0.0.1 → 10.0.0.2");
  CHECK(tunnel_text(DPT_TUNNEL_IPIP, 0) == "IPIP 10.0.0.1 → 10.0.0.2");
  CHECK(tunnel_text(DPT_TUNNEL_GRE, 0) == "GRE 10.0.0.1 → 10.0.0.2");
  CHECK(tunnel_text(DPT_TUNNEL_GRE, 5) == "GRE key 5 10.0.0.1 → 10.0.0.2");
}

TEST_CASE("an interface is told with its role and, away from home, with its netns") {
  Names all = names();
  CHECK(interface_text(kVeth, all) == "veth4722669f (pod default/client)");
  CHECK(interface_text(kClientEth0, all) == "eth0 in pod default/client");
  CHECK(interface_text(kNode2Uplink, all) == "eth0 (uplink) in netns n2");
  CHECK(interface_text({kWeb, 77}, all) == "device 77 in netns n2-web");
  CHECK(interface_text({4026599999, 0}, all) == "in netns 4026599999");
  CHECK(interface_text({kHome, 0}, all).empty());
  CHECK(interface_text({}, all).empty());
  all.netns[kClient] = {"client", ""};
  CHECK(interface_text(kVeth, all) == "veth4722669f (pod, netns client)");
  CHECK(interface_text(kClientEth0, all) == "eth0 in netns client");
  all.interfaces[kVeth].peer_netns = 0;
  CHECK(interface_text(kVeth, all) == "veth4722669f (pod)");
}

TEST_CASE("netfilter hooks are named per family") {
  CHECK(netfilter_hook(2, 4) == "POSTROUTING");
  CHECK(netfilter_hook(3, 2) == "FORWARD");
  CHECK(netfilter_hook(3, 0) == "INPUT");
  CHECK(netfilter_hook(5, 1) == "EGRESS");
  CHECK(netfilter_hook(7, 5) == "BROUTING");
  CHECK(netfilter_hook(1, 5) == "INGRESS");
  CHECK(netfilter_hook(2, 9).empty());
  CHECK(netfilter_family(99).empty());
}

TEST_CASE("times keep to the second they were made in") {
  setenv("TZ", "UTC", 1);
  tzset();
  TimeText local(TimeText::Form::kLocalTime);
  TimeText utc(TimeText::Form::kRfc3339);
  const auto text = [](TimeText& clock, std::int64_t ns) {
    Buffer out;
    clock.append_to(out, ns);
    return fmt::to_string(out);
  };
  CHECK(text(local, 1'000'000'999) == "00:00:01.000000");
  CHECK(text(local, 1'999'999'999) == "00:00:01.999999");
  CHECK(text(local, 2'000'000'000) == "00:00:02.000000");
  CHECK(text(local, 1'500'000'000) == "00:00:01.500000");
  CHECK(text(utc, -1) == "1969-12-31T23:59:59.999999999Z");
  CHECK(text(utc, 0) == "1970-01-01T00:00:00.000000000Z");
}

TEST_CASE("durations have the unit that suits them") {
  CHECK(duration_text(0) == "0.0 µs");
  CHECK(duration_text(57'340) == "57.3 µs");
  CHECK(duration_text(9'999'900) == "9999.9 µs");
  CHECK(duration_text(12'340'000) == "12.3 ms");
  CHECK(duration_text(3'000'123'400) == "3.000 s");
}
