// Which devices of the node ring when a packet of a pod passes, and when that cannot be relied on.
#include <linux/if.h>

#include <catch2/catch.hpp>

#include "node/doorbells.hpp"

namespace dptrace {
namespace {

using Indices = std::set<std::uint32_t>;

Link outside(std::uint32_t index, std::int32_t nsid, const char* kind = "veth") {
  Link link;
  link.index = index;
  link.kind = kind;
  link.peer_elsewhere = true;
  link.link = 2;
  link.peer_nsid = nsid;
  return link;
}

Link inside(std::uint32_t index, std::uint32_t flags, const char* kind = "veth") {
  Link link;
  link.index = index;
  link.kind = kind;
  link.flags = flags;
  return link;
}

// As a CNI plugin wires it: the loopback and eth0.
PodNetns pod(std::int32_t nsid, const char* address) {
  return {nsid,
          {inside(1, IFF_UP | IFF_LOOPBACK, ""), inside(2, IFF_UP)},
          {{2, *Address::parse(address), 24}}};
}

const std::vector<Link> kHome = {outside(10, 0), outside(11, 1), outside(12, 2)};
const Address kFirst = *Address::parse("10.0.0.1");
const Address kSecond = *Address::parse("10.0.0.2");

TEST_CASE("the doorbell of an address is the veth that leads to it") {
  const std::vector<PodNetns> pods = {pod(0, "10.0.0.1"), pod(1, "10.0.0.2")};
  CHECK(doorbells(kHome, pods, {kSecond}) == Indices{11});
  CHECK(doorbells(kHome, pods, {kFirst, kSecond}) == Indices{10, 11});
}

TEST_CASE("without a doorbell for each address there is none") {
  const std::vector<PodNetns> pods = {pod(0, "10.0.0.1")};
  CHECK(doorbells(kHome, pods, {kFirst, kSecond}).empty());
  CHECK(doorbells(kHome, pods, {}).empty());
  CHECK(doorbells(kHome, {}, {kFirst}).empty());
}

TEST_CASE("an address that two network namespaces have rings at both") {
  const std::vector<PodNetns> pods = {pod(0, "10.0.0.1"), pod(2, "10.0.0.1")};
  CHECK(doorbells(kHome, pods, {kFirst}) == Indices{10, 12});
}

TEST_CASE("a pod with another way out has no doorbell") {
  auto two_ways = pod(0, "10.0.0.1");
  SECTION("a second veth to the node rings, too") {
    two_ways.links.push_back(inside(3, IFF_UP));
    auto home = kHome;
    home.push_back(outside(13, 0));
    home.back().link = 3;
    CHECK(doorbells(home, {two_ways}, {kFirst}) == Indices{10, 13});
  }
  SECTION("a veth to somewhere else, a macvlan, a device of the machine") {
    two_ways.links.push_back(inside(3, IFF_UP, GENERATE("veth", "macvlan", "")));
    CHECK(doorbells(kHome, {two_ways}, {kFirst}).empty());
  }
  SECTION("tunl0, which is in every netns, but down") {
    two_ways.links.push_back(inside(3, 0, "ipip"));
    CHECK(doorbells(kHome, {two_ways}, {kFirst}) == Indices{10});
  }
}

TEST_CASE("a device that hands packets past tc is no doorbell") {
  CHECK(doorbells({outside(10, 0, "netkit")}, {pod(0, "10.0.0.1")}, {kFirst}).empty());
}

}  // namespace
}  // namespace dptrace
