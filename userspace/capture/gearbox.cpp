#include "capture/gearbox.hpp"

#include <algorithm>

namespace dptrace {

void Gearbox::follow(std::uint64_t now_ns) {
  followed_ns_ = now_ns;
  armed_ = true;
  has_doorbells_ = false;
  is_in_doubt_ = false;
}

void Gearbox::measure(std::uint64_t now_ns, std::uint32_t packets) {
  const bool is_first = measured_ns_ == 0;
  const std::uint64_t passed_ns = now_ns - measured_ns_;
  const std::uint32_t passed = packets - packets_;
  measured_ns_ = now_ns;
  packets_ = packets;
  if (is_first) {
    if (followed_ns_ == 0) followed_ns_ = now_ns;
    return;
  }
  // The count is less than before when a CPU has gone, and its count with it.
  if (passed > UINT32_MAX / 2) return;
  const double rate = static_cast<double>(passed) * 1e9 / static_cast<double>(passed_ns);
  const auto busy = static_cast<double>(busy_);
  is_busy_ = rate >= (is_busy_ ? busy / 2 : busy);
  const double felt = busy / kRulesShare;
  is_busy_for_rules_ = rate >= (is_busy_for_rules_ ? felt / 2 : felt);
  if (armed_ && rate >= busy && now_ns - followed_ns_ >= kQuietNs) armed_ = false;
  if (!armed_ && rate < busy / 2) {
    armed_ = true;
    has_doorbells_ = false;
    is_in_doubt_ = false;
  }
}

void Gearbox::set_doorbells(std::uint64_t now_ns, bool all_there) {
  if (armed_) return;
  is_in_doubt_ = has_doorbells_ && !all_there;
  if (all_there == has_doorbells_) return;
  has_doorbells_ = all_there;
  is_peeking_ = false;
  turn_ns_ = now_ns + kPeekEveryNs - kPeekNs;
}

Gear Gearbox::gear(std::uint64_t now_ns) {
  if (armed_) return Gear::kArmed;
  if (!has_doorbells_) return Gear::kWatching;
  if (now_ns >= turn_ns_) {
    is_peeking_ = !is_peeking_;
    turn_ns_ = now_ns + (is_peeking_ ? kPeekNs : kPeekEveryNs - kPeekNs);
  }
  return is_peeking_ ? Gear::kWatching : Gear::kAlways;
}

std::uint64_t Gearbox::wakes_ns() const {
  if (busy_ == 0) return UINT64_MAX;
  if (has_doorbells_) return turn_ns_;
  if (is_in_doubt_) return measured_ns_ + kMeasureNs;
  return std::max(followed_ns_, measured_ns_) + kQuietNs;
}

}  // namespace dptrace
