// NamingTime bounds how long names, or texts of rules, are looked for: others choose how much they
// create in their network namespaces, and this must not cost the watch its time.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>

namespace dptrace {

class NamingTime {
 public:
  using Clock = std::chrono::steady_clock;

  /// All namespaces of strangers together get a tenth of the time, and at most this much at once.
  static constexpr std::chrono::milliseconds kAtOnce{200};
  static constexpr int kShare = 10;
  /// A netns that took longer than kLittle is not asked again for kPauses times as long as it took.
  static constexpr std::chrono::milliseconds kLittle{20};
  static constexpr int kPauses = 4;

  /// An answer is waited for no longer than this; the question goes on in the background.
  static constexpr std::chrono::milliseconds kWait{250};
  static constexpr std::chrono::milliseconds kWaitForStrangers{50};

  /// True when the netns may be asked about now.
  bool allows(std::uint32_t netns, bool is_strangers, Clock::time_point now) {
    const auto next = next_.find(netns);
    if (next != next_.end() && now < next->second) return false;
    if (!is_strangers) return true;
    if (filled_) credit_ = std::min<Clock::duration>(kAtOnce, credit_ + (now - *filled_) / kShare);
    filled_ = now;
    return credit_ > Clock::duration::zero();
  }

  void took(std::uint32_t netns, bool is_strangers, Clock::time_point begin,
            Clock::time_point end) {
    if (is_strangers) credit_ -= end - begin;
    if (end - begin > kLittle) {
      next_[netns] = end + kPauses * (end - begin);
    } else {
      next_.erase(netns);
    }
  }

  /// Forgets the pauses that are over.
  void forget(Clock::time_point now) {
    std::erase_if(next_, [now](const auto& entry) { return entry.second <= now; });
  }

 private:
  Clock::duration credit_ = kAtOnce;
  std::optional<Clock::time_point> filled_;
  std::map<std::uint32_t, Clock::time_point> next_;
};

}  // namespace dptrace
