#include <catch2/catch.hpp>

#include "capture/refusal.hpp"

using namespace dptrace;

namespace {

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("libbpf's last word tells which program was refused") {
  const auto refusal = refusal_of(
      "libbpf: prog 'dptrace_consume': BPF program load failed: Invalid argument\n"
      "libbpf: prog 'dptrace_consume': -- BEGIN PROG LOAD LOG --\n"
      "0: R1=ctx(off=0) prog 'other': failed to load\n"
      "-- END PROG LOAD LOG --\n"
      "libbpf: prog 'dptrace_consume': failed to load: -22\n"
      "libbpf: failed to load object 'dptrace_bpf'\n"
      "libbpf: failed to load BPF skeleton 'dptrace_bpf': -22\n");
  REQUIRE(refusal);
  CHECK(refusal->program == "dptrace_consume");
  CHECK(contains(refusal->why, "Invalid argument"));
}

TEST_CASE("of several tries the last one counts") {
  const auto refusal = refusal_of(
      "libbpf: prog 'first': failed to load: -1\n"
      "libbpf: prog 'second': failed to load: -3\n");
  REQUIRE(refusal);
  CHECK(refusal->program == "second");
  CHECK(contains(refusal->why, "does not have it"));
}

TEST_CASE("what is not permitted is said to be so") {
  const auto refusal = refusal_of("libbpf: prog 'p': failed to load: -1\n");
  REQUIRE(refusal);
  CHECK(contains(refusal->why, "does not permit"));
}

TEST_CASE("an object that fails as a whole blames no program") {
  CHECK_FALSE(refusal_of(""));
  CHECK_FALSE(refusal_of("libbpf: map 'ring': failed to create: Operation not permitted(-1)\n"));
  CHECK_FALSE(refusal_of("': failed to load: -1\n"));
  CHECK_FALSE(refusal_of("libbpf: prog '': failed to load: -1\n"));
  CHECK_FALSE(refusal_of("libbpf: prog 'cut\n off': failed to load: -1\n"));
}
