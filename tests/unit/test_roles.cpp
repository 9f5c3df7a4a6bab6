#include <linux/if.h>
#include <linux/if_arp.h>

#include <catch2/catch.hpp>
#include <string>

#include "node/roles.hpp"

using namespace dptrace;

namespace {

Link lo() {
  return {.index = 1, .name = "lo", .arp_type = ARPHRD_LOOPBACK, .flags = IFF_UP | IFF_LOOPBACK};
}

Link physical(std::uint32_t index, std::string name) {
  return {.index = index, .name = name, .arp_type = ARPHRD_ETHER, .flags = IFF_UP};
}

Link device(std::uint32_t index, std::string name, std::string kind, std::uint32_t flags = IFF_UP) {
  return {.index = index, .name = name, .kind = kind, .arp_type = ARPHRD_ETHER, .flags = flags};
}

Link veth(std::uint32_t index, std::string name, std::uint32_t master = 0) {
  auto link = device(index, name, "veth");
  link.master = master;
  link.link = 2;
  link.peer_elsewhere = true;
  return link;
}

// As the module makes it in every netns.
Link tunl0(std::uint32_t index, std::uint32_t flags) {
  return {
      .index = index, .name = "tunl0", .kind = "ipip", .arp_type = ARPHRD_TUNNEL, .flags = flags};
}

InterfaceAddress address(std::uint32_t index, const char* text, std::uint8_t prefix_length) {
  return {index, Address::parse(text).value(), prefix_length};
}

NextHop default_route(std::uint32_t index, const char* gateway) {
  return {index, Address::parse(gateway), true};
}

NextHop route(std::uint32_t index, const char* gateway = "") {
  return {index, Address::parse(gateway), false};
}

// Of every device, as `name=role` in the order of their indices, with a `+` where tc programs go.
std::string summary(const NetnsTopology& topology) {
  const auto all = roles(topology);
  std::string text;
  for (const auto& link : topology.links) {
    CHECK(role_of(link, topology) == all.at(link.index));
    text += text.empty() ? "" : " ";
    text += link.name + "=" + std::string(role_name(all.at(link.index)));
    text += is_datapath_device(link, topology) ? "+" : "";
  }
  return text;
}

NetnsTopology flannel(Link eth0) {
  auto vxlan = device(4, "flannel.1", "vxlan");
  vxlan.underlay = eth0.index;
  vxlan.local = Address::parse("192.168.56.11");
  return {{lo(), eth0, device(3, "cni0", "bridge"), vxlan, veth(5, "veth4722669f", 3)},
          {address(eth0.index, "192.168.56.11", 24), address(3, "10.244.19.1", 24),
           address(4, "10.244.19.0", 32)},
          {route(eth0.index), route(3), route(4, "10.244.6.0")}};
}

}  // namespace

TEST_CASE("flannel on a machine: the physical device is the uplink, bridge ports are pods") {
  auto topology = flannel(physical(2, "eth0"));
  topology.next_hops.push_back(default_route(2, "192.168.56.1"));
  topology.links.push_back(device(6, "kube-ipvs0", "dummy"));
  topology.links.push_back(device(7, "flannel.null", "dummy"));
  CHECK(is_node_like(topology));
  CHECK(summary(topology) ==
        "lo=loopback eth0=uplink+ cni0=bridge+ flannel.1=overlay+ veth4722669f=pod+ "
        "kube-ipvs0=other flannel.null=other");
}

TEST_CASE(
    "flannel where the node is a netns: the veth under the tunnel is the uplink, without a default "
    "route") {
  const auto topology = flannel(veth(2, "eth0"));
  CHECK(summary(topology) ==
        "lo=loopback eth0=uplink+ cni0=bridge+ flannel.1=overlay+ veth4722669f=pod+");
}

TEST_CASE("a tunnel bound to no device has its underlay where its local address is") {
  auto topology = flannel(veth(2, "eth0"));
  topology.links[3].underlay = 0;
  CHECK(role_of(topology.links[1], topology) == Role::kUplink);
}

TEST_CASE("a node in a netns whose bridge is all there is has its default route's veth as uplink") {
  NetnsTopology topology{{lo(), veth(2, "eth0"), device(3, "cni0", "bridge"), veth(4, "veth1", 3)},
                         {address(2, "172.18.0.2", 16), address(3, "10.244.0.1", 24)},
                         {default_route(2, "172.18.0.1"), route(2), route(3)}};
  CHECK(summary(topology) == "lo=loopback eth0=uplink+ cni0=bridge+ veth1=pod+");
}

TEST_CASE("calico on a machine: veths without a bridge are pods") {
  NetnsTopology topology{
      {lo(), physical(2, "ens3"), veth(3, "cali0123456789a"), veth(4, "cali0123456789b"),
       tunl0(5, IFF_UP)},
      {address(2, "192.168.56.11", 24), address(3, "fe80::ecee:eeff:feee:eeee", 64),
       address(5, "172.16.37.192", 32)},
      {default_route(2, "192.168.56.1"), route(3), route(4), route(5, "192.168.56.12")}};
  CHECK(is_node_like(topology));
  CHECK(summary(topology) ==
        "lo=loopback ens3=uplink+ cali0123456789a=pod+ cali0123456789b=pod+ tunl0=overlay+");
}

TEST_CASE("calico where the node is a netns: the veth with a subnet's address is the uplink") {
  NetnsTopology topology{
      {lo(), veth(2, "eth0"), veth(3, "cali0123456789a"), tunl0(5, IFF_UP)},
      {address(2, "192.168.56.11", 24), address(3, "fe80::ecee:eeff:feee:eeee", 64),
       address(5, "172.16.37.192", 32)},
      {route(2), route(3), route(5, "192.168.56.12")}};
  CHECK(summary(topology) == "lo=loopback eth0=uplink+ cali0123456789a=pod+ tunl0=overlay+");
}

TEST_CASE(
    "calico without encapsulation where the node is a netns: routes by a gateway tell the uplink") {
  NetnsTopology topology{{lo(), veth(2, "eth0"), veth(3, "cali0123456789a")},
                         {address(2, "192.168.56.11", 24)},
                         {route(2), route(2, "192.168.56.12"), route(3)}};
  CHECK(is_node_like(topology));
  CHECK(summary(topology) == "lo=loopback eth0=uplink+ cali0123456789a=pod+");
}

TEST_CASE("antrea: ports of Open vSwitch are pods, its gateway is the node's own port") {
  const auto eth0 = GENERATE(physical(2, "eth0"), veth(2, "eth0"));
  NetnsTopology topology{
      {lo(), eth0, device(3, "ovs-system", "openvswitch", 0), device(4, "br-int", "openvswitch"),
       device(5, "antrea-gw0", "openvswitch"), device(6, "genev_sys_6081", "geneve"),
       veth(7, "coredns--e5cc00", 3)},
      {address(2, "192.168.56.11", 24), address(5, "10.10.0.1", 24)},
      {route(2), route(5), route(5, "10.10.1.1")}};
  CHECK(is_node_like(topology));
  CHECK(summary(topology) ==
        "lo=loopback eth0=uplink+ ovs-system=bridge br-int=bridge+ antrea-gw0=other+ "
        "genev_sys_6081=overlay+ coredns--e5cc00=pod+");
}

TEST_CASE("a bare machine is like a node, with bonds and VLANs as uplinks") {
  auto slave = physical(2, "eth0");
  slave.master = 3;
  NetnsTopology topology{{lo(), slave, device(3, "bond0", "bond"), device(4, "bond0.7", "vlan"),
                          device(5, "ifb0", "ifb"), device(6, "vrf-red", "vrf")},
                         {address(4, "192.0.2.7", 24)},
                         {default_route(4, "192.0.2.1")}};
  CHECK(is_node_like(topology));
  CHECK(summary(topology) ==
        "lo=loopback eth0=uplink+ bond0=uplink+ bond0.7=uplink+ ifb0=other vrf-red=other");
}

TEST_CASE("what carries the node's VLANs or is in its bond is an uplink, a veth too") {
  auto member = veth(5, "eth1", 6);
  auto vlan = device(3, "eth0.200", "vlan");
  vlan.link = 2;
  NetnsTopology topology{{lo(), veth(2, "eth0"), vlan, device(4, "cni0", "bridge"), member,
                          device(6, "bond0", "bond"), veth(7, "vethp1", 4)},
                         {address(3, "192.0.2.7", 24), address(4, "10.244.1.1", 24)},
                         {route(3), route(4)}};
  CHECK(summary(topology) ==
        "lo=loopback eth0=uplink+ eth0.200=uplink+ cni0=bridge+ eth1=uplink+ bond0=uplink+ "
        "vethp1=pod+");
}

TEST_CASE("in a pod, eth0 is the pod's, whatever tunnel devices the kernel made there") {
  NetnsTopology topology{{lo(), veth(2, "eth0"), tunl0(3, 0), device(4, "sit0", "sit", 0)},
                         {address(2, "10.244.19.28", 24)},
                         {default_route(2, "10.244.19.1"), route(2)}};
  CHECK_FALSE(is_node_like(topology));
  CHECK(summary(topology) == "lo=loopback eth0=pod+ tunl0=overlay sit0=overlay");
}

TEST_CASE("in a calico pod, eth0 is the pod's") {
  NetnsTopology topology{{lo(), veth(3, "eth0"), tunl0(2, 0)},
                         {address(3, "172.16.37.193", 32)},
                         {default_route(3, "169.254.1.1"), route(3)}};
  CHECK_FALSE(is_node_like(topology));
  CHECK(role_of(topology.links[1], topology) == Role::kPod);
}

TEST_CASE("a pod that is only being made is a pod") {
  NetnsTopology topology{{lo(), veth(2, "eth0")}, {}, {}};
  CHECK(summary(topology) == "lo=loopback eth0=pod+");
}

TEST_CASE("a pod with a second interface or a VPN stays a pod") {
  NetnsTopology topology{
      {lo(), veth(2, "eth0"), veth(3, "net1"), physical(4, "net2"), device(5, "net3", "macvlan")},
      {address(2, "10.244.19.28", 24), address(3, "10.9.0.2", 24), address(4, "10.8.0.2", 24)},
      {default_route(2, "10.244.19.1"), route(2), route(3), route(4)}};
  topology.links.push_back(
      {.index = 6, .name = "wg0", .kind = "wireguard", .arp_type = ARPHRD_NONE, .flags = IFF_UP});
  topology.links[4].peer_elsewhere = true;
  CHECK_FALSE(is_node_like(topology));
  CHECK(summary(topology) == "lo=loopback eth0=pod+ net1=pod+ net2=pod+ net3=pod+ wg0=overlay+");
}

TEST_CASE("a veth with both ends here belongs to nobody, yet carries packets") {
  auto pair = device(3, "cilium_host", "veth");
  pair.link = 4;
  NetnsTopology topology{{lo(), physical(2, "eth0"), pair},
                         {address(3, "10.0.1.7", 32)},
                         {default_route(2, "192.0.2.1"), route(3, "10.0.1.7")}};
  CHECK(summary(topology) == "lo=loopback eth0=uplink+ cilium_host=other+");
}

TEST_CASE(
    "a bridge port is a pod's only with a pod behind it: a tap has none, nor have others of the "
    "netns") {
  auto tap = device(4, "tap0", "tun");
  tap.master = 3;
  auto pair = device(7, "pair0", "veth");  // its other end is here, too
  pair.master = 3;
  pair.link = 9;
  auto dummy = device(8, "dummy0", "dummy");
  dummy.master = 3;
  auto tun = device(5, "tun0", "tun");
  tun.arp_type = ARPHRD_NONE;
  NetnsTopology topology{{physical(2, "eth0"), device(3, "br0", "bridge"), tap, tun,
                          device(6, "tap1", "tun"), pair, dummy},
                         {},
                         {}};
  CHECK(summary(topology) ==
        "eth0=uplink+ br0=bridge+ tap0=other+ tun0=overlay+ tap1=other pair0=other+ dummy0=other");
  const auto described = interfaces(1, topology);
  CHECK(described[2].master == 3);
  CHECK(described[4].master == 0);
}

TEST_CASE("a netns without devices is like none") {
  CHECK_FALSE(is_node_like({}));
  CHECK_FALSE(is_node_like({{lo()}, {}, {}}));
  CHECK(roles({}).empty());
}

TEST_CASE("a device is described as outputs name it") {
  auto topology = flannel(physical(2, "eth0"));
  topology.links[2].mtu = 1450;
  const auto described = interfaces(4026531840, topology);
  REQUIRE(described.size() == 5);
  CHECK(described[0].kind == "loopback");
  CHECK(described[1].kind == "device");
  CHECK(described[2].kind == "bridge");
  CHECK(described[2].id == InterfaceId{4026531840, 3});
  CHECK(described[2].name == "cni0");
  CHECK(described[2].mtu == 1450);
  CHECK(described[2].role == Role::kBridge);
}
