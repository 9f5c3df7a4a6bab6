// Drop tables go to a DropOutput; each format is one class behind this interface.
#pragma once

#include <memory>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
#include "output/drop_table_text.hpp"
#include "output/output.hpp"

namespace dptrace {

/// DropSummary has the figures at the end of a watch.
struct DropSummary {
  std::uint64_t packets = 0;      ///< packets freed, lost or not
  std::uint64_t dropped = 0;      ///< packets lost
  std::uint64_t events_lost = 0;  ///< samples lost
  std::uint64_t duration_ns = 0;
};

class DropOutput {
 public:
  virtual ~DropOutput() = default;
  /// To be called when an interval has ended. False when nobody reads any more.
  virtual bool interval(const DropTable& table, const Names& names) = 0;
  /// To be called when the watch has ended. `table` has the last interval, which interval() did not
  /// get.
  virtual bool finish(const DropTable& table, const DropSummary& summary, const Names& names) = 0;
};

/// Writes tables one below the other: for each interval what was counted in it, at the end
/// everything.
std::unique_ptr<DropOutput> make_drop_text_output(Sink& sink, const DropTableStyle& style);
/// Writes JSON Lines: an object for each kind and each interval in which it was counted. `all` adds
/// the kinds that are no loss.
std::unique_ptr<DropOutput> make_drop_json_output(Sink& sink, bool all);

}  // namespace dptrace
