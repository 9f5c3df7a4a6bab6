#include "explain/held_drops.hpp"

#include <algorithm>

#include "model/former.hpp"

namespace dptrace {

std::optional<HeldDrops::Held> HeldDrops::take(std::uint64_t time_ns, std::uint64_t skb) {
  auto drop = drops_.extract({time_ns, skb});
  if (drop.empty()) return {};
  return std::move(drop.mapped());
}

std::optional<HeldDrops::Held> HeldDrops::take_overdue(std::uint64_t now_ns) {
  const auto overdue =
      std::ranges::find_if(drops_, [&](const auto& one) { return now_ns >= one.second.until_ns; });
  if (overdue == drops_.end()) return {};
  return std::move(drops_.extract(overdue).mapped());
}

std::uint64_t HeldDrops::since() const {
  return drops_.empty() ? kLatest : drops_.begin()->first.first;
}

}  // namespace dptrace
