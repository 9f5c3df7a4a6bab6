#include <catch2/catch.hpp>

#include "attach/owner.hpp"

using namespace dptrace;

TEST_CASE("an owner lives while a netfilter socket with its number is in the group") {
  constexpr auto kText =
      "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
      "0000000000000000 12  305419896  00000080 0        0        0     2        0        358615  "
      "\n"
      "0000000000000000 12  77         000000ff 0        0        0     2        0        358616  "
      "\n"
      "0000000000000000 12  78         00000000 0        0        0     2        0        358617  "
      "\n"
      "0000000000000000 0   79         00000080 0        0        0     2        0        358618  "
      "\n"
      "0000000000000000 12  4000000000 00000080 0        0        0     2        0        358619  "
      "\n"
      "nonsense\n";
  CHECK(parse_living_owners(kText) == std::set<std::uint32_t>{305419896, 77});
  CHECK(parse_living_owners("").empty());
}
