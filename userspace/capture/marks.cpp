#include "capture/marks.hpp"

#include <atomic>

#include "dptrace/config.h"

namespace dptrace {

void Marks::fade(std::uint64_t now_ns, std::uint64_t period_ns) {
  if (now_ns - faded_ns_ < period_ns) return;
  faded_ns_ = now_ns;
  for (auto& mark : marks_) {
    if (mark == 0) continue;
    // Not if a program has just renewed it.
    std::atomic_ref shared(mark);
    auto seen = shared.load(std::memory_order_relaxed);
    const auto faded = (seen & DPT_MARK_FRESH) != 0
                           ? (seen & ~static_cast<std::uint32_t>(DPT_MARK_AGE)) | DPT_MARK_OLD
                           : 0U;
    shared.compare_exchange_strong(seen, faded, std::memory_order_relaxed);
  }
}

}  // namespace dptrace
