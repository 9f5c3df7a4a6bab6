// When hook functions are probed.
#include <catch2/catch.hpp>

#include "capture/hook_gear.hpp"

namespace dptrace {
namespace {

constexpr std::uint64_t kStart = 1'000'000'000'000;
constexpr std::uint64_t kQuiet = kStart + Gearbox::kQuietNs;

TEST_CASE("hook functions are probed from the start, and always on a node that is not busy") {
  const HookGear gear(kStart);
  CHECK(gear.is_wanted(kStart, true));
  CHECK(gear.is_wanted(kQuiet - 1, true));
  CHECK(gear.is_wanted(100 * kQuiet, false));
}

TEST_CASE("on a busy node their probes go after half a minute that did not need them") {
  HookGear gear(kStart);
  CHECK_FALSE(gear.is_wanted(kQuiet, true));
  CHECK(gear.is_wanted(kQuiet, false));

  gear.ask(kQuiet);
  CHECK(gear.is_wanted(kQuiet, true));
  CHECK(gear.is_wanted(kQuiet + Gearbox::kQuietNs - 1, true));
  CHECK_FALSE(gear.is_wanted(kQuiet + Gearbox::kQuietNs, true));
}

}  // namespace
}  // namespace dptrace
