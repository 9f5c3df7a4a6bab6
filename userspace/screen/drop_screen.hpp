// What the display of `dptrace drops` shows and how keys change it; knows no terminal.
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
  /// Who puts tables and rows into words.
  struct Words {
    DropTableText (*table)(const DropTable&, const Names&, const DropTableStyle&) = drop_table_text;
    std::vector<std::string> (*row)(const DropRow&, const Names&,
                                    const DropTableStyle&) = drop_row_lines;
  };
  struct Options {
    bool colour = false;
    bool all = false;      ///< as `a` switches
    bool details = false;  ///< of every row, under it
    Words words{};
  };

  /// `names` must outlive the screen and know a table's numbers before show().
  DropScreen(const Names& names, Options options);

  void resize(ScreenSize size) { size_ = size; }
  /// The next table; a frozen screen keeps it for later.
  void show(DropTable table);
  /// What else is to be told: a warning. Stays until there is another.
  void tell(std::string text) { note_ = std::move(text); }
  /// False: the user wants to quit.
  bool press(const Key& key);

  /// Not more lines than the screen is high, none wider than it.
  std::vector<std::string> lines();

 private:
  // A row as it is seen, and which.
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
  std::optional<DropTable> table_;   ///< what is shown, sorted
  std::optional<DropTable> latest_;  ///< what has come since the screen was frozen
  DropOrder order_ = DropOrder::kRate;
  bool all_;
  bool frozen_ = false;
  bool help_ = false;
  bool typing_ = false;
  std::string filter_;
  std::string note_;

  std::vector<DropKind> listed_;      ///< the rows, top to bottom, as they last were
  std::optional<DropKind> selected_;  ///< stays selected wherever it moves
  std::size_t selected_at_ = 0;       ///< where in listed_ it was
  std::size_t first_ = 0;             ///< of listed_ that is seen
  std::size_t seen_ = 0;              ///< how many are

  std::optional<DropRow> opened_;
  std::size_t opened_first_ = 0;  ///< line of it that is seen
  std::size_t opened_page_ = 1;   ///< lines of it that are seen
};

}  // namespace dptrace
