// DropRows makes a table of drops from the counts of intervals. It has no clock, no I/O, and
// bounded memory.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "drops/drop_counts.hpp"
#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

/// Returns a sample's record as a value; its hop.key is the id of its kind.
DropSample to_sample(const dpt_drop& record);

struct DropRowLimits {
  std::size_t rows = 4096;  ///< the most rows; beyond, rows not seen for longest are folded
  std::uint64_t idle_ns = 3600'000'000'000;  ///< rows not seen for so long are folded
  std::size_t row_samples = 16;              ///< the most samples that a row keeps
  std::size_t samples = 8192;                ///< the most of all rows; beyond, a row keeps one
};

class DropRows {
 public:
  /// `names` must outlive the rows and know the numbers of a kind before it is counted.
  explicit DropRows(const Names& names, DropRowLimits limits = {})
      : names_(names), limits_(limits) {}

  /// Adds a sample of the kind `id`, which may be counted in an interval yet to come.
  void add_sample(std::uint64_t id, DropSample sample);
  /// Ends an interval. Returns the table, which is good until the next call.
  const DropTable& add(const DropCounts& counts);

  /// Hands every loss to `explain`, which sets its explanation.
  template <typename Explain>
  void explain(Explain explain) {
    table_.explained = true;
    for (DropRow& row : table_.rows) {
      if (row.is_loss()) explain(row);
    }
  }

  const DropTable& table() const { return table_; }

 private:
  DropOwner owner_of(const DropKind& kind) const;
  void fold(const DropRow& row);
  void fold_predecessors();
  void count(const DropCounts& counts, const KindCount& kind);
  DropRow& row_of_new(const KindCount& kind, std::uint64_t begin_ns);
  void take_samples();
  void keep(DropRow& row, DropSample sample);
  void fold_oldest(std::uint64_t now_ns);
  void sort();
  void index();

  struct Waiting {
    std::uint64_t id = 0;
    DropSample sample;
    bool waited = false;  ///< the sample has waited through one interval
  };

  const Names& names_;
  const DropRowLimits limits_;
  DropTable table_;
  std::unordered_map<std::uint64_t, std::size_t> index_;  ///< into table_.rows, by id
  std::vector<Waiting> waiting_;
  std::size_t samples_ = 0;
  bool is_first_ = true;
};

}  // namespace dptrace
