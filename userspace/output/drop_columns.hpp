// DropColumns writes the rows of a drop table as one line each, in columns.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

/// ColumnStyle says how wide lines are, and what is in them.
struct ColumnStyle {
  std::size_t width = 0;  ///< width of the lines, in columns of the terminal
  bool all = false;       ///< with a column that says which rows are losses
  bool whole = false;     ///< nothing is cut, whatever the width
};

/// Every column is as wide as its longest word while there is room. When there is not, the lesser
/// figures go first, then protocols and interfaces get brief, and locations lose the offset where
/// the function alone tells them apart, and causes take the place of locations; then pods,
/// interfaces and protocols are shortened, each in its middle. Reasons and functions are not cut.
class DropColumns {
 public:
  DropColumns(const DropTable& table, const std::vector<const DropRow*>& rows, const Names& names,
              const ColumnStyle& style);

  std::string head() const;
  /// The line of the row with this index among the given rows.
  std::string line(std::size_t index) const;

 private:
  static constexpr std::size_t kCount = 7;
  using Words = std::array<std::string, kCount>;
  struct Line {
    std::string mark = " ", packets, rate, bytes, last_seen;
    Words words;
    std::string function, brief_protocol, brief_interface;
    bool folded = false;
  };

  Line head_line() const;
  std::string figures(const Line& line) const;
  std::size_t wanted() const;
  void measure();
  void be_brief();
  void leave_out_offsets();
  void put_causes_for_locations();
  void fit();
  std::string joined(const Line& line) const;

  ColumnStyle style_;
  std::vector<Line> lines_;
  std::array<std::size_t, kCount> widths_{};          ///< 0: no row has this column
  std::size_t packets_ = 0, rate_ = 0, figures_ = 0;  ///< widths
  std::size_t gap_ = 2;
  bool has_bytes_ = true;
  bool has_last_seen_ = true;
  bool is_cause_or_location_ = false;
};

/// At most `width` columns of a plain text; a `…` stands for what is left out of its middle.
std::string shortened(const std::string& text, std::size_t width);

}  // namespace dptrace
