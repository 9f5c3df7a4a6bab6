#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "node/links.hpp"
#include "node/netlink.hpp"

using namespace dptrace;

namespace {

class Message {
 public:
  explicit Message(std::uint8_t family = AF_UNSPEC, int index = 7) {
    header_ = mnl_nlmsg_put_header(bytes_.data());
    header_->nlmsg_type = RTM_NEWLINK;
    auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(header_, sizeof(ifinfomsg)));
    info->ifi_family = family;
    info->ifi_index = index;
    info->ifi_type = 1;
    info->ifi_flags = 1;
  }

  Message& text(std::uint16_t type, const char* value) {
    mnl_attr_put_strz(header_, type, value);
    return *this;
  }
  Message& number(std::uint16_t type, std::uint32_t value) {
    mnl_attr_put_u32(header_, type, value);
    return *this;
  }
  Message& bytes(std::uint16_t type, const std::string& value) {
    mnl_attr_put(header_, type, value.size(), value.data());
    return *this;
  }
  Message& kind(const char* name, const std::function<void(Message&)>& data = {}) {
    auto* info = mnl_attr_nest_start(header_, IFLA_LINKINFO);
    text(IFLA_INFO_KIND, name);
    if (data) {
      auto* nest = mnl_attr_nest_start(header_, IFLA_INFO_DATA);
      data(*this);
      mnl_attr_nest_end(header_, nest);
    }
    mnl_attr_nest_end(header_, info);
    return *this;
  }

  std::optional<Link> parse() const { return parse_link(header_); }
  nlmsghdr* header() { return header_; }

 private:
  alignas(nlmsghdr) std::array<char, 1024> bytes_{};
  nlmsghdr* header_;
};

const std::string kPort = {'\x21', '\x18'};  // 8472, network byte order
const std::string kLocal = {'\xc0', '\xa8', '\x38', '\x0b'};

}  // namespace

TEST_CASE("a veth tells its bridge and that its peer is elsewhere") {
  const auto link = Message()
                        .text(IFLA_IFNAME, "veth4722669f")
                        .number(IFLA_MTU, 1450)
                        .number(IFLA_MASTER, 3)
                        .number(IFLA_LINK, 2)
                        .number(IFLA_LINK_NETNSID, 5)
                        .kind("veth")
                        .parse();
  REQUIRE(link);
  CHECK(link->index == 7);
  CHECK(link->name == "veth4722669f");
  CHECK(link->kind == "veth");
  CHECK(link->arp_type == 1);
  CHECK(link->is_up());
  CHECK(link->mtu == 1450);
  CHECK(link->master == 3);
  CHECK(link->link == 2);
  CHECK(link->peer_elsewhere);
  CHECK(link->peer_nsid == 5);
}

TEST_CASE("a peer in a netns without a number is elsewhere all the same") {
  const auto link = Message()
                        .text(IFLA_IFNAME, "veth0")
                        .number(IFLA_LINK_NETNSID, static_cast<std::uint32_t>(-1))
                        .parse();
  REQUIRE(link);
  CHECK(link->peer_elsewhere);
  CHECK(link->peer_nsid == -1);
}

TEST_CASE("a physical device has no kind") {
  const auto link = Message().text(IFLA_IFNAME, "eth0").parse();
  REQUIRE(link);
  CHECK(link->kind.empty());
  CHECK_FALSE(link->peer_elsewhere);
}

TEST_CASE("tunnels tell what they run on") {
  const auto vxlan = Message()
                         .text(IFLA_IFNAME, "flannel.1")
                         .kind("vxlan",
                               [](Message& data) {
                                 data.number(IFLA_VXLAN_LINK, 2)
                                     .bytes(IFLA_VXLAN_LOCAL, kLocal)
                                     .bytes(IFLA_VXLAN_PORT, kPort);
                               })
                         .parse();
  REQUIRE(vxlan);
  CHECK(vxlan->underlay == 2);
  CHECK(vxlan->local == Address::parse("192.168.56.11"));
  CHECK(vxlan->vxlan_port == 8472);
  CHECK(vxlan->geneve_port == 0);

  const auto geneve =
      Message()
          .text(IFLA_IFNAME, "genev_sys_6081")
          .kind("geneve", [](Message& data) { data.bytes(IFLA_GENEVE_PORT, kPort); })
          .parse();
  REQUIRE(geneve);
  CHECK(geneve->geneve_port == 8472);
  CHECK_FALSE(geneve->local);

  const auto ipip =
      Message()
          .text(IFLA_IFNAME, "tunl0")
          .kind("ipip",
                [](Message& data) {
                  data.number(IFLA_IPTUN_LINK, 4).bytes(IFLA_IPTUN_LOCAL, std::string(4, '\0'));
                })
          .parse();
  REQUIRE(ipip);
  CHECK(ipip->underlay == 4);
  CHECK_FALSE(ipip->local);
}

TEST_CASE("a bridge's word on its port and a wireless driver's are no links") {
  CHECK_FALSE(Message(AF_BRIDGE).text(IFLA_IFNAME, "veth0").parse());
  CHECK_FALSE(Message().text(IFLA_IFNAME, "wlan0").bytes(IFLA_WIRELESS, "x").parse());
  CHECK_FALSE(Message().parse());
}

TEST_CASE("attributes of the wrong size are passed over") {
  const auto link = Message()
                        .text(IFLA_IFNAME, "vxlan0")
                        .bytes(IFLA_MTU, "x")
                        .kind("vxlan",
                              [](Message& data) {
                                data.bytes(IFLA_VXLAN_PORT, "x").bytes(IFLA_VXLAN_LOCAL, "xyz");
                              })
                        .parse();
  REQUIRE(link);
  CHECK(link->mtu == 0);
  CHECK(link->vxlan_port == 0);
  CHECK_FALSE(link->local);
}

TEST_CASE("a message cut short is read as far as it goes") {
  Message message;
  message.text(IFLA_IFNAME, "vxlan0").kind("vxlan", [](Message& data) {
    data.number(IFLA_VXLAN_LINK, 2).bytes(IFLA_VXLAN_LOCAL, kLocal);
  });
  const auto whole = message.header()->nlmsg_len;
  for (std::uint32_t length = 0; length < whole; ++length) {
    message.header()->nlmsg_len = std::max<std::uint32_t>(length, sizeof(nlmsghdr));
    const auto link = message.parse();
    if (link) CHECK(link->name == "vxlan0");
  }
}

TEST_CASE("a name that is no text, or commands, is made one") {
  const auto link = Message()
                        .text(IFLA_IFNAME,
                              "\xff\x1b\x07\x7f"
                              "x")
                        .parse();
  REQUIRE(link);
  CHECK(link->name == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdx");
}
