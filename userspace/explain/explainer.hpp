// Explainer asks the node why packets died: once for all drops that ask the same, on threads of its
// own, and while the node's state is still that of the drop.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
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

  /// Asks why this packet died, or takes the answer that a drop like it has just had.
  void see(const dpt_drop& drop);
  /// Puts into the names what was answered meanwhile.
  void collect();
  /// Does what collect() does, and waits for answers as long as packets do.
  void finish();
  /// The time (CLOCK_MONOTONIC) of the oldest drop that waits for its explanation; kLatest: none.
  std::uint64_t awaited_since() const;

 private:
  struct Question {
    DropFacts facts;
    std::vector<DropId> drops;
    std::uint64_t since_ns = 0;  ///< time of the oldest of them
    std::uint64_t begun_ns = 0;
    std::optional<Inquiry<Result<Explanation>>> inquiry;  ///< nothing: it could not begin so far
  };
  struct Answer {
    Explanation explanation;
    std::uint64_t asked_ns = 0;
  };

  bool try_to_begin(Question& question);
  void tell(const Question& question, const Explanation& explanation);
  void forget(std::uint64_t now);

  Names& names_;
  const Begin begin_;
  std::list<Question> questions_;
  std::map<DropFacts, Answer> answers_;
  NamingTime time_;  ///< of questions in other netns than dptrace's own
};

}  // namespace dptrace
