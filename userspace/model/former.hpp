// Former knows who had a number or an address before. They are given to others when their owners
// have ended, and a packet keeps the names that were right when it was seen.
#pragma once

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <utility>
#include <vector>

namespace dptrace {

/// This time asks for the present owner.
inline constexpr std::uint64_t kLatest = UINT64_MAX;

template <typename Key, typename Value>
class Former {
 public:
  /// The former owners of a key, each by the time (CLOCK_MONOTONIC, ns) from which the key was
  /// another's.
  using Owners = std::map<std::uint64_t, Value>;

  /// The former owner at that time; null when the present owner had the key already.
  const Value* at(const Key& key, std::uint64_t at_ns) const {
    if (owners_.empty()) return nullptr;
    const auto owners = owners_.find(key);
    if (owners == owners_.end()) return nullptr;
    const auto owner = owners->second.upper_bound(at_ns);
    return owner == owners->second.end() ? nullptr : &owner->second;
  }

  bool has(const Key& key, std::uint64_t until_ns) const {
    const auto owners = owners_.find(key);
    return owners != owners_.end() && owners->second.contains(until_ns);
  }

  void add(const Key& key, std::uint64_t until_ns, Value value) {
    owners_[key].insert_or_assign(until_ns, std::move(value));
  }

  /// Forgets the owners for which `is_needed(key, until_ns)` is false.
  template <typename IsNeeded>
  void keep(IsNeeded is_needed) {
    for (auto entry = owners_.begin(); entry != owners_.end();) {
      auto& [key, owners] = *entry;
      std::erase_if(owners, [&key = key, &is_needed](const auto& owner) {
        return !is_needed(key, owner.first);
      });
      entry = owners.empty() ? owners_.erase(entry) : std::next(entry);
    }
  }

  const std::map<Key, Owners>& all() const { return owners_; }

 private:
  std::map<Key, Owners> owners_;
};

}  // namespace dptrace
