#include <catch2/catch.hpp>

#include "os/clock.hpp"

using namespace dptrace;

TEST_CASE("a step of the wall clock is followed, either way") {
  CHECK(followed_offset_ns(5'000'000'000, 3'605'000'000'000) == 3'605'000'000'000);
  CHECK(followed_offset_ns(3'605'000'000'000, 5'000'000'000) == 5'000'000'000);
}

TEST_CASE("what a slow correction changes is followed once it can be seen") {
  CHECK(followed_offset_ns(5'000'000'000, 5'000'500'000) == 5'000'000'000);
  CHECK(followed_offset_ns(5'000'000'000, 5'001'000'000) == 5'001'000'000);
}
