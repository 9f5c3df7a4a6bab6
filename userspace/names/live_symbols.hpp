// The kernel's symbols, read again when modules have come: functions of those that were loaded
// later have names, and none is taken for a neighbour's.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_set>

#include "names/symbols.hpp"

namespace dptrace {

class LiveSymbols {
 public:
  using Clock = std::chrono::steady_clock;

  /// Calls that ask the machine; tests replace them.
  struct Sources {
    std::function<std::string()> modules = loaded_modules;
    std::function<Result<Symbols>()> load = Symbols::load;
    std::function<Clock::time_point()> now = Clock::now;
  };

  explicit LiveSymbols(Symbols symbols) : LiveSymbols(std::move(symbols), Sources{}) {}
  LiveSymbols(Symbols symbols, Sources sources)
      : sources_(std::move(sources)), symbols_(std::move(symbols)) {}

  /// As Symbols::find(). Costs a look at the list of modules, and reading all symbols (some 50 ms)
  /// when it has changed, not more than once a second; nothing when that is not over yet. Reading
  /// them for an address that none of them covers is done once in ten seconds.
  std::optional<Symbol> find(std::uint64_t return_address);

 private:
  bool renew(std::chrono::seconds pause);

  const Sources sources_;
  Symbols symbols_;
  std::optional<Clock::time_point> renewed_;
  std::unordered_set<std::uint64_t> unknown_;  ///< of no symbol as they are now
};

}  // namespace dptrace
