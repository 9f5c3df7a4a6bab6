#include <catch2/catch.hpp>

#include "cli/values.hpp"

using namespace dptrace;
using namespace std::chrono_literals;

TEST_CASE("sizes take the suffixes K, M and G") {
  CHECK(parse_size("4096") == 4096);
  CHECK(parse_size("512K") == 512U << 10);
  CHECK(parse_size("16M") == 16U << 20);
  CHECK(parse_size("1G") == 1U << 30);
  for (const auto* text : {"", "M", "16m", "16MB", "-1", "1.5M", "99999999999G"})
    CHECK_FALSE(parse_size(text));
}

TEST_CASE("durations need a unit") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("10s") == 10s);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("1h") == 1h);
  for (const auto* text : {"", "10", "0s", "s", "10 s", "-1s", "1d"})
    CHECK_FALSE(parse_duration(text));
}

TEST_CASE("protocols are names or numbers") {
  CHECK(parse_protocol("tcp") == 6);
  CHECK(parse_protocol("icmpv6") == 58);
  CHECK(parse_protocol("0") == 0);
  CHECK(parse_protocol("255") == 255);
  for (const auto* text : {"", "TCP", "256", "6x", "-1"}) CHECK_FALSE(parse_protocol(text));
}
