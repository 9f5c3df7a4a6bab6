// The drop table as lines for people, which are the same for tables one below the other and for the
// display that renews itself.
#pragma once

#include <string>
#include <vector>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
#include "words/style.hpp"

namespace dptrace {

/// DropTableStyle says what the lines look like.
struct DropTableStyle {
  bool colour = false;
  bool all = false;              ///< also the rows that are no loss
  bool idle = true;              ///< also rows that were not counted in the last two intervals
  bool samples = false;          ///< a line with the newest sample under each row
  bool details = false;          ///< the sample, its stack and what else is known of the row
  bool causes = false;           ///< why packets of the row died, and what mends it
  bool keys = false;             ///< hints name keys to press rather than options to give
  bool whole = false;            ///< the lines of rows are not cut, whatever the width
  std::size_t width = kColumns;  ///< no other line is wider, colour codes not counted
};

/// A table in its parts, each a list of lines without newlines.
struct DropTableText {
  std::vector<std::string> title;  ///< time, length of the interval, totals
  std::vector<std::string> head;   ///< names of the columns
  struct Row {
    const DropRow* row = nullptr;  ///< row of the given table
    std::vector<std::string> lines;
  };
  std::vector<Row> rows;  ///< in the table's order
  std::vector<std::string>
      tail;  ///< frees without loss, kinds without room, samples lost, counters
};

DropTableText drop_table_text(const DropTable& table, const Names& names,
                              const DropTableStyle& style);

/// The lines of the whole table, top to bottom.
std::vector<std::string> drop_table_lines(const DropTable& table, const Names& names,
                                          const DropTableStyle& style);

/// The lines of one opened row: the kind in full, then its samples, newest first.
std::vector<std::string> drop_row_lines(const DropRow& row, const Names& names,
                                        const DropTableStyle& style);

}  // namespace dptrace
