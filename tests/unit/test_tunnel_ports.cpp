#include <catch2/catch.hpp>

#include "attach/tunnel_ports.hpp"
#include "dptrace/config.h"

using namespace dptrace;

namespace {

Link vxlan(std::uint16_t port) {
  Link link;
  link.vxlan_port = port;
  return link;
}

Link geneve(std::uint16_t port) {
  Link link;
  link.geneve_port = port;
  return link;
}

struct Memory {
  std::vector<std::uint8_t> ports = std::vector<std::uint8_t>(DPT_UDP_PORTS);
  std::uint32_t told = 0;
  TunnelPorts tunnels{ports.data(), &told};
};

}  // namespace

TEST_CASE("usual ports need not be told") {
  Memory memory;
  memory.tunnels.set(1, {vxlan(8472), vxlan(4789), geneve(6081), Link{}});
  CHECK(memory.told == 0);
}

TEST_CASE("ports are told as devices come and go, of every kind and netns") {
  Memory memory;
  memory.tunnels.set(1, {vxlan(12345), geneve(65535), geneve(1), vxlan(8472)});
  CHECK(memory.told == 1);
  CHECK(memory.ports[12345] == DPT_PORT_VXLAN);
  CHECK(memory.ports[65535] == DPT_PORT_GENEVE);
  CHECK(memory.ports[1] == DPT_PORT_GENEVE);
  memory.tunnels.set(2, {vxlan(12345)});
  memory.tunnels.set(1, {});
  CHECK(memory.ports[12345] == DPT_PORT_VXLAN);
  CHECK(memory.ports[65535] == 0);
  CHECK(memory.told == 1);
  memory.tunnels.set(2, {});
  CHECK(memory.ports[12345] == 0);
  CHECK(memory.told == 0);
}

TEST_CASE("a usual port of the other kind is told") {
  Memory memory;
  memory.tunnels.set(1, {geneve(8472)});
  CHECK(memory.told == 1);
  CHECK(memory.ports[8472] == DPT_PORT_GENEVE);
}
