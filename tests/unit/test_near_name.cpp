#include <catch2/catch.hpp>

#include "causes/pages.hpp"
#include "cli/near_name.hpp"

using namespace dptrace;

namespace {

std::string_view near(std::string_view word) {
  NearName name(word);
  for (const auto& page : cause_pages()) name.offer(page.identifier);
  return name.found();
}

}  // namespace

TEST_CASE("a name with up to two wrong letters is near") {
  CHECK(near("no-rout") == "no-route");
  CHECK(near("noroute") == "no-route");
  CHECK(near("forwarding_disabled") == "forwarding-disabled");
  CHECK(near("neighbor-unresolved") == "neighbour-unresolved");
  CHECK(near("no-listner") == "no-listener");
}

TEST_CASE("a part of a name is near, of several the first") {
  CHECK(near("mtu") == "mtu-exceeded");
  CHECK(near("blackhole") == "route-blackhole");
  CHECK(near("route") == "no-route");
}

TEST_CASE("what resembles no name has no near one") {
  CHECK(near("frobnicate").empty());
  CHECK(near("-").empty());
  CHECK(near("").empty());
}
