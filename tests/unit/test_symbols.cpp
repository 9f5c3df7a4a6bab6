#include <catch2/catch.hpp>
#include <string>

#include "names/symbols.hpp"

using namespace dptrace;

namespace {

// Modules come after the kernel itself, each in its own order, and data symbols lie between
// functions.
constexpr const char* kText =
    "ffffffff81000000 T _stext\n"
    "ffffffff81000000 T _text\n"
    "ffffffff81c0f4d0 t __pfx_ip_error\n"
    "ffffffff81c0f4e0 t ip_error\n"
    "ffffffff81c0f6a0 T ip_forward\n"
    "ffffffff81c0f700 D ip_forward_statistics\n"
    "ffffffff81c0ffff T _etext\n"
    "ffffffffc0a02000 t vxlan_xmit\t[vxlan]\n"
    "ffffffffc0a01000 t vxlan_rcv\t[vxlan]\n"
    "ffffffffc0901000 t br_forward\t[bridge]\n"
    "ffffffffc0903000 W weak_one\t[bridge]\n"
    "ffffffffc0904000 t vxlan_rcv\t[other]\n"
    "ffffffff82a1c0e0 R __per_cpu_offset\n"
    "ffffffffc0b01c40 b nf_tables_net_id\t[nf_tables]\n";

std::string name_at(const Symbols& symbols, std::uint64_t address) {
  const auto symbol = symbols.find(address);
  return symbol ? symbol->name : "";
}

}  // namespace

TEST_CASE("the addresses of functions with a name") {
  const auto symbols = Symbols::parse(kText).value();
  const auto ranges = symbols.ranges(
      [](std::string_view name) { return name.starts_with("vxlan_") || name == "_text"; });
  REQUIRE(ranges.size() == 1);  // of the others the end is not known
  CHECK(ranges[0].begin == 0xffffffffc0a01000);
  CHECK(ranges[0].size == 0x1000);
}

TEST_CASE("an address is found in the function that it lies in") {
  const auto symbols = Symbols::parse(kText).value();
  const auto symbol = symbols.find(0xffffffff81c0f55e);
  REQUIRE(symbol);
  CHECK(symbol->name == "ip_error");
  CHECK(symbol->start == 0xffffffff81c0f4e0);
  CHECK(name_at(symbols, 0xffffffff81c0f710) == "ip_forward");
}

TEST_CASE("a return address behind the last instruction belongs to the function of the call") {
  const auto symbols = Symbols::parse(kText).value();
  CHECK(name_at(symbols, 0xffffffff81c0f6a0) == "ip_error");
  CHECK(name_at(symbols, 0xffffffff81c0f6a1) == "ip_forward");
}

TEST_CASE("functions of modules are found, though /proc/kallsyms does not sort them") {
  const auto symbols = Symbols::parse(kText).value();
  CHECK(name_at(symbols, 0xffffffffc0a01080) == "vxlan_rcv");
  CHECK(name_at(symbols, 0xffffffffc0a02080) == "vxlan_xmit");
  CHECK(name_at(symbols, 0xffffffffc0901001) == "br_forward");
  CHECK(symbols.address("vxlan_xmit") == 0xffffffffc0a02000);
  CHECK(symbols.address("weak_one") == 0xffffffffc0903000);
}

TEST_CASE("of several names of an address the first is taken, as the kernel does") {
  const auto symbols = Symbols::parse(kText).value();
  CHECK(name_at(symbols, 0xffffffff81000010) == "_stext");
  CHECK(symbols.address("_text") == 0xffffffff81000000);
}

TEST_CASE("of several functions of a name the lowest is taken") {
  const auto symbols = Symbols::parse(kText).value();
  CHECK(symbols.address("vxlan_rcv") == 0xffffffffc0904000);
}

TEST_CASE("an address in no known function has no name") {
  const auto symbols = Symbols::parse(kText).value();
  const auto address =
      GENERATE(as<std::uint64_t>(), 0, 1, 0xffffffff80ffffff, 0xffffffff81000000,
               0xffffffff81c10010, 0xffffffffc0800000, 0xffffffffc0a13000, 0xffffffffffffffff);
  CAPTURE(address);
  CHECK(name_at(symbols, address) == "");
}

TEST_CASE("only whole names of functions have an address") {
  const auto symbols = Symbols::parse(kText).value();
  const auto name = GENERATE("", "ip_", "forward", "ip_forward_statistics", "__pfx_ip_error",
                             "vxlan_rcv\t[vxlan]", "no_such_function");
  CAPTURE(name);
  CHECK_FALSE(symbols.address(name));
}

TEST_CASE("lines that are none are passed over, and the last needs no end") {
  const auto symbols = Symbols::parse(
                           "\nnonsense\nffff\nffffffff81000000 T\nffffffff81000000 T \n 1 T x\n"
                           "ffffffff81000040 T last")
                           .value();
  CHECK(symbols.size() == 1);
  CHECK(symbols.address("last") == 0xffffffff81000040);
}

TEST_CASE("hidden addresses are an error that tells the remedy") {
  const auto symbols =
      Symbols::parse("0000000000000000 T ip_error\n0000000000000000 T ip_forward\n");
  REQUIRE_FALSE(symbols);
  CHECK_THAT(symbols.error().message, Catch::Contains("CAP_SYSLOG"));
  CHECK_THAT(symbols.error().message, Catch::Contains("kptr_restrict"));
}

TEST_CASE("a kernel that lists no functions is an error") {
  const auto symbols = Symbols::parse("");
  REQUIRE_FALSE(symbols);
  CHECK_THAT(symbols.error().message, Catch::Contains("CONFIG_KALLSYMS"));
}

TEST_CASE("of variables, those that programs need are known and no others") {
  const auto symbols = Symbols::parse(kText).value();
  CHECK(symbols.per_cpu_offsets() == 0xffffffff82a1c0e0);
  CHECK(symbols.nf_tables_id() == 0xffffffffc0b01c40);
  CHECK_FALSE(symbols.address("__per_cpu_offset"));
  const auto none = Symbols::parse("ffffffff81c0f4e0 t ip_error\n").value();
  CHECK((none.per_cpu_offsets() == 0 && none.nf_tables_id() == 0));
}
