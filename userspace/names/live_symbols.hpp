// LiveSymbols has the kernel's symbols and reads them again when modules have been loaded:
// functions of a later module have names, and are not taken for functions of a neighbour.
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

  /// These calls ask the machine; tests replace them.
  struct Sources {
    std::function<std::string()> modules = loaded_modules;
    std::function<Result<Symbols>()> load = Symbols::load;
    std::function<Clock::time_point()> now = Clock::now;
  };

  explicit LiveSymbols(Symbols symbols) : LiveSymbols(std::move(symbols), Sources{}) {}
  LiveSymbols(Symbols symbols, Sources sources)
      : sources_(std::move(sources)), symbols_(std::move(symbols)) {}

  /// Finds a symbol as Symbols::find() does. Each call reads the list of modules. When the list has
  /// changed, all symbols are read again (some 50 ms), at most once a second; until then nothing is
  /// found. For an address that no symbol covers they are read again at most once in ten seconds.
  std::optional<Symbol> find(std::uint64_t return_address);

 private:
  bool renew(std::chrono::seconds pause);

  const Sources sources_;
  Symbols symbols_;
  std::optional<Clock::time_point> renewed_;
  std::unordered_set<std::uint64_t> unknown_;  ///< addresses that none of `symbols_` covers
};

}  // namespace dptrace
