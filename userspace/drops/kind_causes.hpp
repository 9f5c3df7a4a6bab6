// KindCauses knows why packets of a kind died. It asks about a few of the kind's samples now and
// then, however many packets there are.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "drops/drop_table.hpp"
#include "explain/explainer.hpp"
#include "model/names.hpp"

namespace dptrace {

class KindCauses {
 public:
  /// A sample that asks the same as one before is passed over for so long; then the node's state
  /// may have become another.
  static constexpr std::uint64_t kAgainNs = 10'000'000'000;
  /// So many different samples of a kind are asked about within that time.
  static constexpr std::size_t kQuestions = 4;
  /// An answer that was not given again for so long says nothing of new packets.
  static constexpr std::uint64_t kKeepNs = 30'000'000'000;
  /// So many kinds have room, half of it also for those of strangers' network namespaces.
  static constexpr std::size_t kKinds = 4096;

  KindCauses(Names& names, Explainer::Begin begin);

  /// Asks why this sample died, unless it is known or asked already. Its hop.key is the kind's id,
  /// and the names must know its numbers.
  void see(const dpt_drop& sample);
  /// Takes what was answered meanwhile.
  void collect();
  /// Does what collect() does, and waits for answers as long as packets of a trace do.
  void finish();
  /// True while samples of this time or before wait for their answers.
  bool awaits(std::uint64_t time_ns) const { return explainer_.awaited_since() <= time_ns; }

  /// Gives a row the explanation of its kinds. All their samples have to have the same cause: which
  /// of several was that of a packet is not known.
  void explain(DropRow& row) const;

 private:
  using Shared = std::shared_ptr<const Explanation>;
  struct Question {
    DropFacts facts;
    DropId drop;  ///< about which it was asked last
    Shared answer{};
    std::uint64_t answered_ns = 0;  ///< time of the drop that was answered; 0: none yet
  };
  struct Open {
    std::uint64_t kind = 0;
    DropId drop;
  };

  void take_answers(std::uint64_t now_ns);
  void forget(std::uint64_t now_ns);

  Names& names_;
  Explainer explainer_;
  std::unordered_map<std::uint64_t, std::vector<Question>> kinds_;  ///< by id
  std::vector<Open> open_;
  std::uint64_t next_forget_ns_ = 0;
  /// The one that all unexplained kinds share.
  Shared unknown_;
};

}  // namespace dptrace
