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
#include "model/names.hpp"
#include "names/naming_time.hpp"
#include "node/in_netns.hpp"

namespace dptrace {

class Explainer {
 public:
  /// Begins to ask the netns of the drop.
  using Begin = std::function<Result<Inquiry<Result<Explanation>>>(const DropFacts& drop)>;

  /// Puts what it finds into the names.
  Explainer(Names& names, Begin begin) : names_(names), begin_(std::move(begin)) {}

  /// Asks why this packet died, together with drops like it.
  void see(const dpt_drop& drop);
  /// Puts into the names what was answered meanwhile.
  void collect();
  /// Does what collect() does, and waits for answers as long as packets do.
  void finish();
  /// The time (CLOCK_MONOTONIC) of the oldest drop that waits for its explanation; kLatest: none.
  std::uint64_t awaited_since() const;

 private:
  /// What drops of one kind ask. An answer is that of the drops before the question alone: the
  /// state may have changed with the first of those after it.
  struct Question {
    std::vector<DropId> asked, waiting;
    std::optional<Inquiry<Result<Explanation>>> inquiry;  ///< for .asked
    std::uint64_t begun_ns = 0;                           ///< of the last one
    std::uint64_t next_ns = 0;  ///< before then the node is not asked the same again
  };

  void begin(const DropFacts& facts, Question& question);
  void take(const DropFacts& facts, Question& question, Result<Explanation> answer);
  void tell(const DropId& drop, std::shared_ptr<const Explanation> explanation);
  void forget(std::uint64_t now);

  Names& names_;
  const Begin begin_;
  std::map<DropFacts, Question> questions_;
  NamingTime time_;  ///< of questions in other netns than dptrace's own
};

}  // namespace dptrace
