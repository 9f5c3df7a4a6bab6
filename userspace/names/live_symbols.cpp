#include "names/live_symbols.hpp"

namespace dptrace {

namespace {

constexpr std::chrono::seconds kPauseAfterModules{1};
constexpr std::chrono::seconds kPauseAfterUnknown{10};
constexpr std::size_t kMaxUnknown = 4096;

}  // namespace

std::optional<Symbol> LiveSymbols::find(std::uint64_t return_address) {
  // An address behind a module's last function may belong to a module that was loaded later, so the
  // list of modules is compared first.
  if (sources_.modules() != symbols_.modules() && !renew(kPauseAfterModules)) return {};
  if (auto symbol = symbols_.find(return_address)) return symbol;
  if (return_address == 0 || unknown_.contains(return_address)) return {};
  // The address may belong to a BPF program, which is on no list of modules.
  if (!renew(kPauseAfterUnknown)) return {};
  auto symbol = symbols_.find(return_address);
  if (!symbol && unknown_.size() < kMaxUnknown) unknown_.insert(return_address);
  return symbol;
}

bool LiveSymbols::renew(std::chrono::seconds pause) {
  const auto now = sources_.now();
  if (renewed_ && now - *renewed_ < pause) return false;
  renewed_ = now;
  auto symbols = sources_.load();
  if (!symbols) return false;
  if (symbols->modules() != symbols_.modules()) unknown_.clear();
  symbols_ = std::move(*symbols);
  return true;
}

}  // namespace dptrace
