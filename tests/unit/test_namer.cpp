#include <catch2/catch.hpp>

#include "names/namer.hpp"

using namespace dptrace;

namespace {

constexpr std::uint32_t kEnded = 7;       // no netns has so low a number
constexpr std::uint32_t kGone = 1 << 30;  // nor a device of the own one

struct Fixture {
  Names names;
  Address pod = *Address::parse("10.1.2.3");

  Fixture() {
    names.home_netns = current_netns();
    names.netns[names.home_netns] = {"", ""};
    names.netns[kEnded] = {"web", "default/web"};
    names.interfaces[{names.home_netns, 1}].name = "lo";
    names.interfaces[{names.home_netns, kGone}].name = "veth1";
    names.interfaces[{kEnded, 2}].name = "eth0";
    names.pods[pod] = "default/web";
  }
};

}  // namespace

TEST_CASE("what is gone is forgotten when it is gone the next time too") {
  Fixture node;
  Namer namer(node.names, *Symbols::parse("ffffffff81000000 T _stext\nffffffff81000010 T f\n"));
  namer.forget_gone();
  CHECK(node.names.interfaces.size() == 3);
  CHECK(node.names.netns.size() == 2);
  CHECK(node.names.pods.size() == 1);
  namer.forget_gone();
  REQUIRE(node.names.interfaces.size() == 1);
  CHECK(node.names.interfaces.begin()->second.name == "lo");
  REQUIRE(node.names.netns.size() == 1);
  CHECK(node.names.netns.begin()->first == node.names.home_netns);
  CHECK(node.names.pods.empty());
}

TEST_CASE("what a table still shows keeps its names, and nothing else does") {
  Fixture node;
  Namer namer(node.names, *Symbols::parse("ffffffff81000000 T _stext\nffffffff81000010 T f\n"));
  namer.keep({{kEnded, 2}}, {node.pod});
  CHECK(node.names.interfaces.size() == 1);
  CHECK(node.names.netns.size() == 2);
  CHECK(node.names.pods.size() == 1);
  namer.keep({}, {});
  CHECK(node.names.interfaces.empty());
  CHECK(node.names.netns.size() == 1);
  CHECK(node.names.pods.empty());
}

TEST_CASE("the first device of a netns that cannot be entered is lo") {
  Fixture node;
  Namer namer(node.names, {});
  namer.see(0, {kEnded, 1});
  namer.see(0, {kEnded, 3});
  const Interface* lo = node.names.interface({kEnded, 1});
  REQUIRE(lo != nullptr);
  CHECK(lo->name == "lo");
  CHECK(lo->role == Role::kLoopback);
  CHECK(node.names.interface({kEnded, 3}) == nullptr);
}
