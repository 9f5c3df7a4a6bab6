// Explainer asks the node why packets died: once for all drops that ask the same, on threads of its
// own, and while the node's state is still that of the drop.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "explain/drop_facts.hpp"
#include "explain/held_drops.hpp"
#include "explain/reply_ways.hpp"
#include "model/names.hpp"
#include "names/naming_time.hpp"
#include "node/in_netns.hpp"

namespace dptrace {

class Explainer {
 public:
  /// What a netns has answered to questions, in their order.
  struct Answers {
    std::vector<Explanation> explanations;
    std::uint64_t took_ns = 0;  ///< in the netns
  };
  using Questions = std::vector<DropFacts>;
  /// Begins to ask a netns.
  using Begin =
      std::function<Result<Inquiry<Result<Answers>>>(std::uint32_t netns, Questions questions)>;

  /// Puts what it finds into the names.
  Explainer(Names& names, Begin begin) : names_(names), begin_(std::move(begin)) {}

  /// Asks why this packet died, together with drops like it.
  void see(const dpt_drop& drop);
  /// Does what see() does, but the records behind the drop are seen, too: where a hook of netfilter
  /// dropped the packet, it is asked when the next record tells which function decided.
  void follow(const dpt_drop& drop);
  void see(const dpt_netfilter& record);
  /// Asks about this hop, if it may be the last of a packet that left the node in vain. True when
  /// it does.
  bool see(const dpt_hop& hop);
  /// Puts into the names what was answered meanwhile.
  void collect();
  /// Does what collect() does, and waits for answers as long as packets do.
  void finish();
  /// The time (CLOCK_MONOTONIC) of the oldest drop that waits for its explanation; kLatest: none.
  std::uint64_t awaited_since() const;
  /// True for a netns that has no name and is no pod's: anybody may have made it.
  bool is_strangers(std::uint32_t netns) const;

 private:
  struct Batch {
    std::map<DropFacts, std::vector<DropId>> drops;
    std::uint64_t since_ns = kLatest;  ///< time of the oldest
    std::uint64_t until_ns = kLatest;  ///< packets wait for the answer no longer
  };
  /// What is asked in one netns. An answer is that of the drops before the question alone: the
  /// state may have changed with the first of those after it.
  struct Desk {
    Batch asked, waiting;
    std::optional<Inquiry<Result<Answers>>> inquiry;  ///< for .asked
    std::uint64_t next_ns = 0;                        ///< before then the netns is not asked again
  };

  void ask_drop(const DropId& id, DropFacts facts);
  void ask(const DropId& id, DropFacts facts);
  void ask_overdue(std::uint64_t now_ns);
  void begin(std::uint32_t netns, Desk& desk);
  void take(std::uint32_t netns, Desk& desk, const Result<Answers>& answers);
  void tell(const DropId& drop, std::shared_ptr<const Explanation> explanation);
  void forget(std::uint64_t now);

  Names& names_;
  const Begin begin_;
  HeldDrops held_;
  ReplyWays ways_;
  std::map<std::uint32_t, Desk> desks_;  ///< by netns
  std::uint64_t next_collect_ns_ = 0;    ///< then also amid a flood of drops
  NamingTime time_;                      ///< of questions in the netns of strangers
};

/// Asks the netns that the calling thread is in.
Result<Explainer::Answers> answer_here(const Explainer::Questions& questions);

}  // namespace dptrace
