// Where drop tables go: one class per format behind this interface.
#pragma once

#include <memory>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
#include "output/drop_table_text.hpp"
#include "output/output.hpp"

namespace dptrace {

/// The figures at the end of a watch.
struct DropSummary {
  std::uint64_t packets = 0;      ///< freed, losses or not
  std::uint64_t dropped = 0;      ///< lost
  std::uint64_t events_lost = 0;  ///< samples
  std::uint64_t duration_ns = 0;
};

class DropOutput {
 public:
  virtual ~DropOutput() = default;
  /// An interval has ended; false when nobody reads any more.
  virtual bool interval(const DropTable& table, const Names& names) = 0;
  /// The watch has ended, with the interval of `table`, which was not given to interval().
  virtual bool finish(const DropTable& table, const DropSummary& summary, const Names& names) = 0;
};

/// Tables one below the other: of each interval what was counted in it, at the end everything.
std::unique_ptr<DropOutput> make_drop_text_output(Sink& sink, const DropTableStyle& style);
/// JSON Lines: an object per kind and interval it was counted in; `all`: also what is no loss.
std::unique_ptr<DropOutput> make_drop_json_output(Sink& sink, bool all);

}  // namespace dptrace
