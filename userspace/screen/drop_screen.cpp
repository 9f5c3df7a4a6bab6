#include "screen/drop_screen.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>

namespace dptrace {

namespace {

constexpr std::string_view kMark = "> ";
constexpr std::string_view kNoMark = "  ";
// The filter searches lines of this width, at which no name is cut.
constexpr std::size_t kUncut = 1000;
constexpr std::size_t kMaxFilter = 60;

constexpr std::array<std::string_view, 4> kHelp = {
    "sort by: r rate, c count, b bytes, l last seen, n name",
    "up, down, PgUp, PgDn, Home, End: select   Enter: its details and packets, and back",
    "/ filter by text (Esc clears it)   f or space: freeze, and go on",
    "a: also normal frees (not losses)   h or ?: this help   q: quit"};

std::size_t less(std::size_t a, std::size_t b) { return a > b ? a - b : 0; }

bool contains(std::string_view text, std::string_view part) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

void append(std::vector<std::string>& lines, std::vector<std::string> more) {
  std::move(more.begin(), more.end(), std::back_inserter(lines));
}

// The new position in a list of `count` entries after the key `kind`, from the position `at`.
std::size_t moved(std::size_t at, std::size_t count, std::size_t page, KeyKind kind) {
  const std::size_t last = less(count, 1);
  switch (kind) {
    case KeyKind::kUp:
      return less(at, 1);
    case KeyKind::kDown:
      return std::min(at + 1, last);
    case KeyKind::kPageUp:
      return less(at, page);
    case KeyKind::kPageDown:
      return std::min(at + page, last);
    case KeyKind::kHome:
      return 0;
    case KeyKind::kEnd:
      return last;
    default:
      return at;
  }
}

}  // namespace

DropScreen::DropScreen(const Names& names, Options options)
    : names_(names), options_(options), all_(options.all) {}

void DropScreen::show(DropTable table) {
  if (frozen_) {
    latest_ = std::move(table);
    return;
  }
  table_ = std::move(table);
  sort_rows(*table_, order_, names_);
  if (!opened_) return;
  const auto row = std::find_if(table_->rows.begin(), table_->rows.end(),
                                [&](const DropRow& row) { return row.kind == opened_->kind; });
  if (row != table_->rows.end()) opened_ = *row;
}

bool DropScreen::press(const Key& key) {
  if (typing_) {
    press_typing(key);
    return true;
  }
  switch (key.kind) {
    case KeyKind::kCharacter:
      return press_command(key.character);
    case KeyKind::kEnter:
      open();
      break;
    case KeyKind::kEscape:
    case KeyKind::kBackspace:
      if (opened_) {
        opened_.reset();
      } else {
        filter_.clear();
      }
      break;
    default:
      opened_ ? scroll(key.kind) : move(key.kind);
  }
  return true;
}

bool DropScreen::press_command(char command) {
  switch (command) {
    case 'q':
      return false;
    case 'r':
      sort(DropOrder::kRate);
      break;
    case 'c':
      sort(DropOrder::kCount);
      break;
    case 'b':
      sort(DropOrder::kBytes);
      break;
    case 'l':
      sort(DropOrder::kLastSeen);
      break;
    case 'n':
      sort(DropOrder::kName);
      break;
    case '/':
      typing_ = true;
      filter_.clear();
      opened_.reset();
      break;
    case 'f':
    case ' ':
      freeze_or_go_on();
      break;
    case 'a':
      all_ = !all_;
      break;
    case 'h':
    case '?':
      help_ = !help_;
      break;
    default:
      break;
  }
  return true;
}

void DropScreen::press_typing(const Key& key) {
  if (key.kind == KeyKind::kCharacter && filter_.size() < kMaxFilter) filter_ += key.character;
  if (key.kind == KeyKind::kBackspace && !filter_.empty()) filter_.pop_back();
  if (key.kind == KeyKind::kEscape) filter_.clear();
  if (key.kind == KeyKind::kEnter || key.kind == KeyKind::kEscape) typing_ = false;
}

void DropScreen::sort(DropOrder order) {
  order_ = order;
  if (table_) sort_rows(*table_, order_, names_);
}

void DropScreen::freeze_or_go_on() {
  frozen_ = !frozen_;
  if (frozen_ || !latest_) return;
  show(std::move(*latest_));
  latest_.reset();
}

std::optional<std::size_t> DropScreen::selected_index() const {
  if (!selected_ || listed_.empty()) return {};
  const auto at = std::find(listed_.begin(), listed_.end(), *selected_);
  if (at != listed_.end()) return static_cast<std::size_t>(at - listed_.begin());
  return std::min(selected_at_, listed_.size() - 1);
}

// Lists the rows anew at each key, because keys may come faster than pictures are drawn.
void DropScreen::list_rows() {
  listed_.clear();
  if (!table_) return;
  DropTableText text = options_.words.table(*table_, names_, style());
  for (const Item& item : items(text)) listed_.push_back(item.row->kind);
}

void DropScreen::select(std::size_t index) {
  selected_ = listed_[index];
  selected_at_ = index;
}

void DropScreen::move(KeyKind kind) {
  list_rows();
  if (kind == KeyKind::kOther || listed_.empty()) return;
  const auto from = selected_index();
  const bool is_first_step = !from && kind == KeyKind::kDown;
  select(is_first_step
             ? 0
             : moved(from.value_or(0), listed_.size(), std::max<std::size_t>(seen_, 1), kind));
}

// The position is limited to the lines there are when the picture is drawn.
void DropScreen::scroll(KeyKind kind) {
  opened_first_ = moved(opened_first_, SIZE_MAX, opened_page_, kind);
}

void DropScreen::open() {
  if (opened_) {
    opened_.reset();
    return;
  }
  list_rows();
  if (listed_.empty()) return;
  select(selected_index().value_or(0));
  const auto row = std::find_if(table_->rows.begin(), table_->rows.end(),
                                [&](const DropRow& row) { return row.kind == *selected_; });
  if (row == table_->rows.end()) return;
  opened_ = *row;
  opened_first_ = 0;
}

DropTableStyle DropScreen::style() const {
  DropTableStyle style;
  style.colour = options_.colour;
  style.all = all_;
  style.keys = true;
  style.details = options_.details;
  style.width = less(size_.width, kMark.size());
  return style;
}

std::vector<DropScreen::Item> DropScreen::items(DropTableText& text) const {
  std::vector<const DropRow*> matching;
  if (!filter_.empty()) {
    DropTableStyle plain = style();
    plain.colour = false;
    plain.samples = true;
    plain.whole = true;
    plain.width = kUncut;
    for (const auto& row : options_.words.table(*table_, names_, plain).rows) {
      const bool matches = std::any_of(row.lines.begin(), row.lines.end(),
                                       [&](const auto& line) { return contains(line, filter_); });
      if (matches) matching.push_back(row.row);
    }
  }
  std::vector<Item> items;
  for (auto& row : text.rows) {
    if (filter_.empty() || std::find(matching.begin(), matching.end(), row.row) != matching.end()) {
      items.push_back({row.row, std::move(row.lines)});
    }
  }
  return items;
}

std::vector<std::string> DropScreen::lines() {
  // At least one line of the table stays, however small the screen is.
  std::size_t below = footer().size();
  if (below >= size_.height) below = std::min<std::size_t>(less(size_.height, 1), 1);
  const std::size_t height = size_.height - below;
  std::vector<std::string> lines;
  if (opened_) {
    lines = opened_lines(height);
  } else if (table_) {
    lines = table_lines(height);
  } else {
    lines = {"watching; the first table comes with the end of the first interval"};
  }
  lines.resize(height);
  // The footer is made again, because which rows are seen is known only now.
  std::vector<std::string> foot = footer();
  foot.erase(foot.begin(), foot.end() - static_cast<std::ptrdiff_t>(below));
  append(lines, std::move(foot));
  for (std::string& line : lines) line = clip_line(line, size_.width);
  return lines;
}

std::vector<std::string> DropScreen::table_lines(std::size_t height) {
  DropTableText text = options_.words.table(*table_, names_, style());
  std::vector<Item> rows = items(text);
  std::size_t wanted = 0;
  for (const Item& item : rows) wanted += item.lines.size();

  std::vector<std::string> lines;
  append(lines, std::move(text.title));
  append(lines, std::move(text.head));
  for (std::string& line : lines) line.insert(0, kNoMark);
  // The tail gets the lines that the rows leave, or a third of the lines when the rows would leave
  // less.
  const std::size_t room = less(height, lines.size());
  const std::size_t tail = std::min(text.tail.size(), std::max(room / 3, less(room, wanted)));
  append(lines, body_lines(std::move(rows), room - tail));
  if (tail < text.tail.size() && tail > 0) {
    const std::size_t cut = text.tail.size() - tail + 1;
    text.tail.resize(tail);
    text.tail.back() = fmt::format("... and {} lines more, in a higher window", cut);
  }
  text.tail.resize(tail);
  for (std::string& line : text.tail) lines.push_back(std::string(kNoMark).append(line));
  return lines;
}

std::vector<std::string> DropScreen::body_lines(std::vector<Item> items, std::size_t height) {
  listed_.clear();
  for (const Item& item : items) listed_.push_back(item.row->kind);
  const auto selected = selected_index();
  if (selected) select(*selected);
  if (items.empty() && !filter_.empty()) return {fmt::format("  no row has \"{}\" in it", filter_)};

  first_ = std::min({first_, selected.value_or(0), less(items.size(), 1)});
  if (selected) {
    std::size_t needed = 0;
    for (std::size_t i = first_; i <= *selected; ++i) needed += items[i].lines.size();
    while (needed > height && first_ < *selected) needed -= items[first_++].lines.size();
  }
  std::vector<std::string> lines;
  seen_ = 0;
  for (std::size_t i = first_; i < items.size(); ++i) {
    // A row is shown whole; only a row that has no room at all is cut.
    if (lines.size() + items[i].lines.size() > height && !lines.empty()) break;
    ++seen_;
    for (std::size_t line = 0; line < items[i].lines.size() && lines.size() < height; ++line) {
      const bool is_marked = selected == i && line == 0;
      std::string shown = std::string(is_marked ? kMark : kNoMark).append(items[i].lines[line]);
      lines.push_back(is_marked && options_.colour ? reverse_line(shown) : std::move(shown));
    }
  }
  return lines;
}

std::vector<std::string> DropScreen::opened_lines(std::size_t height) {
  DropTableStyle style = this->style();
  style.width = size_.width;
  std::vector<std::string> lines = options_.words.row(*opened_, names_, style);
  opened_page_ = std::max<std::size_t>(height, 1);
  opened_first_ = std::min(opened_first_, less(lines.size(), height));
  lines.erase(lines.begin(), lines.begin() + static_cast<std::ptrdiff_t>(opened_first_));
  return lines;
}

std::vector<std::string> DropScreen::footer() const {
  std::vector<std::string> lines;
  if (help_) lines.assign(kHelp.begin(), kHelp.end());
  if (!note_.empty()) lines.push_back(note_);
  lines.push_back(status());
  return lines;
}

std::string DropScreen::status() const {
  if (typing_) return fmt::format("filter: {}_", filter_);
  std::string status = frozen_ ? "FROZEN (f goes on)  " : "";
  if (opened_) return status + "Enter or Esc: back   up, down: scroll   q: quit";
  status += fmt::format("by {}", order_name(order_));
  if (!filter_.empty()) status += fmt::format("  filter \"{}\"", filter_);
  if (seen_ < listed_.size()) {
    status += fmt::format("  rows {} to {} of {}", first_ + 1, first_ + seen_, listed_.size());
  }
  if (all_) status += "  all";
  return status + "   h: help   q: quit";
}

}  // namespace dptrace
