// DropScreen is what the display of `dptrace drops` shows, and how keys change it. It knows no
// terminal.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drops/drop_table.hpp"
#include "model/names.hpp"
#include "output/drop_table_text.hpp"
#include "screen/drop_order.hpp"
#include "screen/frame.hpp"
#include "screen/keys.hpp"

namespace dptrace {

class DropScreen {
 public:
  /// The functions that put tables and rows into words.
  struct Words {
    DropTableText (*table)(const DropTable&, const Names&, const DropTableStyle&) = drop_table_text;
    std::vector<std::string> (*row)(const DropRow&, const Names&,
                                    const DropTableStyle&) = drop_row_lines;
  };
  struct Options {
    bool colour = false;
    bool all = false;      ///< show all rows, as the key `a` switches
    bool details = false;  ///< show details under every row
    Words words{};
  };

  /// `names` must outlive the screen and know a table's numbers before show().
  DropScreen(const Names& names, Options options);

  void resize(ScreenSize size) { size_ = size; }
  /// Takes the next table; a frozen screen keeps it for later.
  void show(DropTable table);
  /// Shows a warning, which stays until there is another.
  void tell(std::string text) { note_ = std::move(text); }
  /// Handles a key. False when the user wants to quit.
  bool press(const Key& key);

  /// The picture: not more lines than the screen is high, none wider than the screen.
  std::vector<std::string> lines();

 private:
  // The lines of a row as they are shown, and the row.
  struct Item {
    const DropRow* row = nullptr;
    std::vector<std::string> lines;
  };

  bool press_command(char command);
  void press_typing(const Key& key);
  void move(KeyKind kind);
  void scroll(KeyKind kind);
  void open();
  void sort(DropOrder order);
  void freeze_or_go_on();

  DropTableStyle style() const;
  std::vector<Item> items(DropTableText& text) const;
  void list_rows();
  std::optional<std::size_t> selected_index() const;
  void select(std::size_t index);
  std::vector<std::string> table_lines(std::size_t height);
  std::vector<std::string> body_lines(std::vector<Item> items, std::size_t height);
  std::vector<std::string> opened_lines(std::size_t height);
  std::vector<std::string> footer() const;
  std::string status() const;

  const Names& names_;
  const Options options_;
  ScreenSize size_{};
  std::optional<DropTable> table_;   ///< the table that is shown, sorted
  std::optional<DropTable> latest_;  ///< the newest table since the screen was frozen
  DropOrder order_ = DropOrder::kRate;
  bool all_;
  bool frozen_ = false;
  bool help_ = false;
  bool typing_ = false;
  std::string filter_;
  std::string note_;

  std::vector<DropKind> listed_;      ///< the rows, top to bottom, when they were last listed
  std::optional<DropKind> selected_;  ///< the row that stays selected wherever it moves
  std::size_t selected_at_ = 0;       ///< its last position in listed_
  std::size_t first_ = 0;             ///< position in listed_ of the first row that is seen
  std::size_t seen_ = 0;              ///< number of rows that are seen

  std::optional<DropRow> opened_;
  std::size_t opened_first_ = 0;  ///< first of its lines that is seen
  std::size_t opened_page_ = 1;   ///< number of its lines that are seen
};

}  // namespace dptrace
