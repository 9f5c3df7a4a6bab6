// AgingMap is bounded: it keeps at most twice `half` entries, and forgets those that were put
// longest ago.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace dptrace {

template <typename Key, typename Value, typename Hash>
class AgingMap {
 public:
  explicit AgingMap(std::size_t half) : half_(half) {}

  /// Null when the key was never put, or its entry is forgotten.
  const Value* find(const Key& key) const {
    const auto recent = recent_.find(key);
    if (recent != recent_.end()) return &recent->second;
    const auto older = older_.find(key);
    return older == older_.end() ? nullptr : &older->second;
  }

  void put(const Key& key, Value value) {
    // When `recent_` is full it becomes `older_`, and the entries that `older_` had are forgotten.
    if (recent_.size() >= half_ && !recent_.contains(key)) older_ = std::exchange(recent_, {});
    recent_[key] = std::move(value);
  }

 private:
  using Entries = std::unordered_map<Key, Value, Hash>;

  std::size_t half_;
  Entries recent_;
  Entries older_;
};

}  // namespace dptrace
