#include <catch2/catch.hpp>
#include <vector>

#include "attach/home_devices.hpp"

namespace dptrace {
namespace {

// As home__flags() in bpf/lib/home.bpf.h looks it up.
std::uint32_t as_programs_see(const std::vector<dpt_home_set>& sets, std::uint32_t ifindex) {
  for (const auto& way : sets[ifindex % DPT_HOME_SETS].ways) {
    if (way.ifindex == ifindex) return way.flags;
    if (way.ifindex == 0) break;
  }
  return 0;
}

TEST_CASE("a device of any number is known by its flags") {
  std::vector<dpt_home_set> sets(DPT_HOME_SETS);
  HomeDevices home(sets);
  for (const std::uint32_t ifindex : {1U, 8192U, 65535U, 65536U, 70000U, 0x7fffffffU}) {
    CHECK(as_programs_see(sets, ifindex) == 0);
    REQUIRE(home.set(ifindex, DPT_HOME_COVERED));
    CHECK(as_programs_see(sets, ifindex) == DPT_HOME_COVERED);
    REQUIRE(home.set(ifindex, DPT_HOME_COVERED | DPT_HOME_UPLINK));
    CHECK(home.flags(ifindex) == (DPT_HOME_COVERED | DPT_HOME_UPLINK));
    REQUIRE(home.set(ifindex, 0));
    CHECK(as_programs_see(sets, ifindex) == 0);
  }
}

TEST_CASE("devices whose numbers share a set do not hide each other when one goes") {
  std::vector<dpt_home_set> sets(DPT_HOME_SETS);
  HomeDevices home(sets);
  std::vector<std::uint32_t> alike;
  for (std::uint32_t i = 0; i < DPT_HOME_WAYS; ++i) alike.push_back(7 + i * DPT_HOME_SETS);
  for (const auto ifindex : alike) REQUIRE(home.set(ifindex, DPT_HOME_COVERED));
  CHECK_FALSE(home.set(7 + DPT_HOME_WAYS * DPT_HOME_SETS, DPT_HOME_COVERED));
  REQUIRE(home.set(alike[1], 0));
  CHECK(as_programs_see(sets, alike[1]) == 0);
  for (const auto ifindex : {alike[0], alike[2], alike[3]})
    CHECK(as_programs_see(sets, ifindex) == DPT_HOME_COVERED);
  CHECK(home.set(7 + DPT_HOME_WAYS * DPT_HOME_SETS, DPT_HOME_UPLINK));
}

}  // namespace
}  // namespace dptrace
