// HeldDrops keeps drops of netfilter's hooks until the record behind each tells which of the hook's
// functions decided.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "explain/drop_facts.hpp"
#include "model/explanation.hpp"

namespace dptrace {

class HeldDrops {
 public:
  /// A record that has not come by then is taken for lost, or for one that is not told here.
  static constexpr std::uint64_t kPatienceNs = 30'000'000;
  static constexpr std::size_t kMost = 1024;

  struct Held {
    DropFacts facts;
    DropId id;
    std::uint64_t until_ns = 0;
  };

  bool has_room() const { return drops_.size() < kMost; }
  /// `skb` is the address of the packet's buffer.
  void hold(std::uint64_t skb, Held drop) { drops_[{drop.id.time_ns, skb}] = std::move(drop); }
  /// Takes the drop that has this time and buffer; nothing when it is not held.
  std::optional<Held> take(std::uint64_t time_ns, std::uint64_t skb);
  /// Takes a drop whose record has not come by `now_ns`; nothing when there is none.
  std::optional<Held> take_overdue(std::uint64_t now_ns);
  /// The time of the oldest drop that is held; kLatest: none is.
  std::uint64_t since() const;

 private:
  std::map<std::pair<std::uint64_t, std::uint64_t>, Held> drops_;  ///< by time and buffer
};

}  // namespace dptrace
