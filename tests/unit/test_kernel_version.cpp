#include <catch2/catch.hpp>

#include "node/kernel_version.hpp"

using namespace dptrace;

TEST_CASE("the first two numbers of a release are its version") {
  CHECK(parse_kernel_version("6.1.0-13-amd64") == KernelVersion{6, 1});
  CHECK(parse_kernel_version("5.10.0") == KernelVersion{5, 10});
  CHECK(parse_kernel_version("7.2-rc1+") == KernelVersion{7, 2});
  CHECK(parse_kernel_version("nonsense") == KernelVersion{});
  CHECK(parse_kernel_version("6") == KernelVersion{});
  CHECK(parse_kernel_version("6.x") == KernelVersion{});
  CHECK(parse_kernel_version("") == KernelVersion{});
}

TEST_CASE("only kernels known to be below 5.10 are too old") {
  CHECK(too_old("5.4.0-216-generic") == "kernel 5.4.0-216-generic is too old (below 5.10)");
  CHECK_FALSE(too_old("4.19.0").empty());
  CHECK(too_old("5.10.0").empty());
  CHECK(too_old("6.1.0-13-amd64").empty());
  CHECK(too_old("custom").empty());
}
