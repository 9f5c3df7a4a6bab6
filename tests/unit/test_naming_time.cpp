#include <catch2/catch.hpp>

#include "names/naming_time.hpp"

using namespace dptrace;
using namespace std::chrono_literals;

namespace {

const NamingTime::Clock::time_point kStart{};

}  // namespace

TEST_CASE("strangers together get a tenth of the time, and something at once") {
  NamingTime time;
  REQUIRE(time.allows(1, true, kStart));
  time.took(1, true, kStart, kStart + 10ms);
  CHECK(time.allows(1, true, kStart + 10ms));  // it was quick
  for (std::uint32_t netns = 2; netns < 22; ++netns) time.took(netns, true, kStart, kStart + 10ms);
  CHECK_FALSE(time.allows(100, true, kStart + 20ms));
  CHECK(time.allows(200, false, kStart + 20ms));  // a pod's
  CHECK(time.allows(100, true, kStart + 500ms));
}

TEST_CASE("what has not been asked for long has saved up no more than it may have at once") {
  NamingTime time;
  REQUIRE(time.allows(1, true, kStart));
  REQUIRE(time.allows(1, true, kStart + 1h));
  time.took(1, true, kStart + 1h, kStart + 1h + 250ms);
  CHECK_FALSE(time.allows(2, true, kStart + 1h + 1ms));
}

TEST_CASE("a netns that took long is let alone, also a pod's") {
  NamingTime time;
  time.took(1, false, kStart, kStart + 100ms);
  CHECK_FALSE(time.allows(1, false, kStart + 499ms));
  CHECK(time.allows(2, false, kStart + 499ms));
  CHECK(time.allows(1, false, kStart + 500ms));
  time.forget(kStart + 499ms);
  CHECK_FALSE(time.allows(1, false, kStart + 499ms));
}
