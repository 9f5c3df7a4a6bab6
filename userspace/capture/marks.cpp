#include "capture/marks.hpp"

#include <atomic>

#include "dptrace/config.h"

namespace dptrace {

namespace {

// The exchange fails for a mark that a program has just renewed.
template <typename Mark, typename Older>
void fade_all(std::span<Mark> marks, Older older) {
  for (auto& mark : marks) {
    if (mark == 0) continue;
    std::atomic_ref shared(mark);
    auto seen = shared.load(std::memory_order_relaxed);
    shared.compare_exchange_strong(seen, older(seen), std::memory_order_relaxed);
  }
}

std::uint32_t older_mark(std::uint32_t mark) {
  constexpr std::uint32_t kAge = DPT_MARK_AGE;
  return (mark & DPT_MARK_FRESH) != 0 ? (mark & ~kAge) | DPT_MARK_OLD : 0;
}

std::uint8_t older_byte(std::uint8_t mark) { return mark == DPT_MARK_NEW ? 1 : 0; }

}  // namespace

void Marks::fade(std::uint64_t now_ns, std::uint64_t period_ns) {
  if (now_ns - faded_ns_ < period_ns) return;
  faded_ns_ = now_ns;
  fade_all(skbs_, older_mark);
  fade_all(translated_, older_byte);
}

}  // namespace dptrace
