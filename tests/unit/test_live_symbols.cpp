#include <catch2/catch.hpp>

#include "names/live_symbols.hpp"

using namespace dptrace;

namespace {

constexpr std::uint64_t kInKernel = 0xffffffff81000018;
constexpr std::uint64_t kInModule = 0xffffffffc0001018;

// A machine on which a module may come and time pass.
struct Machine {
  std::string modules = "bridge 0xffffffffc0000000\n";
  std::string text =
      "ffffffff81000000 T _stext\nffffffff81000010 T f\nffffffffc0000010 t last_of_bridge\n";
  LiveSymbols::Clock::time_point now{};
  int loads = 0;

  Symbols load() {
    ++loads;
    return *Symbols::parse(text, modules);
  }
  LiveSymbols symbols() {
    return LiveSymbols(*Symbols::parse(text, modules), {.modules = [this] { return modules; },
                                                        .load = [this] { return load(); },
                                                        .now = [this] { return now; }});
  }
  void load_module() {
    modules += "late 0xffffffffc0001000\n";
    text += "ffffffffc0001010 t late_function\n";
  }
};

std::string name(const std::optional<Symbol>& symbol) { return symbol ? symbol->name : ""; }

}  // namespace

TEST_CASE("while nothing changes, symbols are not read again") {
  Machine machine;
  auto symbols = machine.symbols();
  for (int i = 0; i < 3; ++i) CHECK(name(symbols.find(kInKernel)) == "f");
  CHECK(machine.loads == 0);
}

TEST_CASE("a function of a module that came later has its name, not its neighbour's") {
  Machine machine;
  auto symbols = machine.symbols();
  machine.load_module();
  CHECK(name(symbols.find(kInModule)) == "late_function");
  CHECK(machine.loads == 1);
  CHECK(name(symbols.find(kInModule)) == "late_function");
  CHECK(machine.loads == 1);
}

TEST_CASE(
    "modules that come one after the other are waited for: no name is better than a wrong one") {
  Machine machine;
  auto symbols = machine.symbols();
  machine.modules += "first 0xffffffffc0008000\n";
  CHECK(name(symbols.find(kInKernel)) == "f");
  machine.load_module();
  CHECK(name(symbols.find(kInModule)).empty());
  CHECK(machine.loads == 1);
  machine.now += std::chrono::seconds(1);
  CHECK(name(symbols.find(kInModule)) == "late_function");
  CHECK(machine.loads == 2);
}

TEST_CASE("an address that no symbol covers is asked for once, and others not at once") {
  Machine machine;
  auto symbols = machine.symbols();
  for (int i = 0; i < 3; ++i) CHECK(name(symbols.find(0xffffffffa0000000)).empty());
  CHECK(name(symbols.find(0xffffffffa0100000)).empty());
  CHECK(machine.loads == 1);
  machine.text += "ffffffffa0100000 t bpf_prog_1234_user\n";
  machine.now += std::chrono::seconds(10);
  CHECK(name(symbols.find(0xffffffffa0000000)).empty());
  CHECK(machine.loads == 1);
  CHECK(name(symbols.find(0xffffffffa0100008)) == "bpf_prog_1234_user");
  CHECK(machine.loads == 2);
  CHECK(name(symbols.find(0)).empty());
  CHECK(machine.loads == 2);
}
