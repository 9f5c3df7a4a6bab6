#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "screen/drop_screen.hpp"
#include "support/sample_drops.hpp"
#include "words/style.hpp"

using namespace dptrace;

namespace {

using Lines = std::vector<std::string>;

// A title, a head, a line `reason packets` and one with a sample for each row, and a tail.
DropTableText table_words(const DropTable& table, const Names& names, const DropTableStyle& style) {
  DropTableText text;
  text.title = {fmt::format("interval {}", table.time_ns)};
  text.head = {"REASON"};
  for (const DropRow& row : table.rows) {
    if (!row.is_loss() && !style.all) continue;
    const std::string line =
        fmt::format("{} {}", names.reasons.at(*row.kind.reason), row.total.packets);
    text.rows.push_back({&row, {line, fmt::format("  sample of {}", line)}});
    for (auto& shown : text.rows.back().lines) {
      if (style.colour) shown = fmt::format("\x1b[36m{}\x1b[0m", shown);
    }
  }
  for (std::size_t i = 0; i < table.counters.size(); ++i) {
    text.tail.push_back(fmt::format("counter {}", table.counters[i].name));
  }
  return text;
}

std::vector<std::string> row_words(const DropRow& row, const Names& names, const DropTableStyle&) {
  Lines lines = {
      fmt::format("opened {} {}", names.reasons.at(*row.kind.reason), row.total.packets)};
  for (int i = 0; i < 20; ++i) lines.push_back(fmt::format("packet {}", i));
  return lines;
}

DropRow row(std::uint32_t reason, std::uint64_t packets, std::uint64_t bytes, double rate,
            std::uint64_t last, bool loss = true) {
  DropRow row;
  row.kind.reason = reason;
  row.total = {packets, bytes};
  row.rate = rate;
  row.last_ns = last;
  row.end = loss ? End::kLoss : End::kCopy;
  return row;
}

struct Screen {
  explicit Screen(bool colour = false)
      : screen(names, {.colour = colour, .words = {table_words, row_words}}) {
    screen.resize({60, 20});
  }

  // Without empty lines at the end.
  Lines text() {
    Lines lines = screen.lines();
    for (auto& line : lines) {
      while (line.ends_with(' ')) line.pop_back();
    }
    return lines;
  }
  bool press(std::string_view keys) {
    bool goes_on = true;
    for (const Key& key : decoder.feed(keys)) goes_on = screen.press(key);
    return goes_on;
  }
  // First words of the rows, top to bottom, with the mark.
  Lines order() {
    Lines found;
    for (const auto& line : text()) {
      for (const char* name : {"ALPHA", "BETA", "GAMMA", "NO_LOSS"}) {
        if (line.substr(std::min<std::size_t>(line.size(), 2)).starts_with(name)) {
          found.push_back(fmt::format("{}{}", line[0] == '>' ? ">" : "", name));
        }
      }
    }
    return found;
  }
  bool has(std::string_view part) {
    const auto lines = text();
    return std::any_of(lines.begin(), lines.end(),
                       [&](const auto& line) { return line.find(part) != std::string::npos; });
  }

  Names names = [] {
    Names names;
    names.reasons = {{1, "ALPHA"}, {2, "BETA"}, {3, "GAMMA"}, {4, "NO_LOSS"}};
    return names;
  }();
  KeyDecoder decoder;
  DropScreen screen;
};

DropTable sample_table(std::uint64_t time = 1) {
  DropTable table;
  table.time_ns = time;
  table.rows = {row(2, 10, 500, 9.0, 50), row(1, 30, 300, 5.0, 70), row(3, 20, 900, 1.0, 60),
                row(4, 99, 999, 99.0, 99, false)};
  return table;
}

constexpr const char* kUp = "\x1b[A";
constexpr const char* kDown = "\x1b[B";

}  // namespace

TEST_CASE("until there is a table the screen says what it waits for") {
  Screen screen;
  CHECK(screen.text().front().starts_with("watching"));
  CHECK(screen.press("rcbln \r\x1b[A\x1b[6~ha"));
  CHECK_FALSE(screen.press("q"));
}

TEST_CASE("the table fills the screen, with what the keys do at the bottom") {
  Screen screen;
  screen.screen.show(sample_table());
  const Lines lines = screen.text();
  REQUIRE(lines.size() == 20);
  CHECK(Lines(lines.begin(), lines.begin() + 5) ==
        Lines{"  interval 1", "  REASON", "  BETA 10", "    sample of BETA 10", "  ALPHA 30"});
  CHECK(lines.back() == "by rate   h: help   q: quit");
}

TEST_CASE("rows are sorted by what is asked for, losses first") {
  Screen screen;
  screen.screen.show(sample_table());
  CHECK(screen.order() == Lines{"BETA", "ALPHA", "GAMMA"});
  screen.press("c");
  CHECK(screen.order() == Lines{"ALPHA", "GAMMA", "BETA"});
  screen.press("b");
  CHECK(screen.order() == Lines{"GAMMA", "BETA", "ALPHA"});
  screen.press("l");
  CHECK(screen.order() == Lines{"ALPHA", "GAMMA", "BETA"});
  screen.press("n");
  CHECK(screen.order() == Lines{"ALPHA", "BETA", "GAMMA"});
  CHECK(screen.text().back().starts_with("by name"));
  screen.press("ra");
  CHECK(screen.order() == Lines{"BETA", "ALPHA", "GAMMA", "NO_LOSS"});
  screen.press("a");
  CHECK(screen.order() == Lines{"BETA", "ALPHA", "GAMMA"});
}

TEST_CASE("the selection stays with its kind, wherever that moves") {
  Screen screen;
  screen.screen.show(sample_table());
  screen.press(kDown);
  CHECK(screen.order() == Lines{">BETA", "ALPHA", "GAMMA"});
  screen.press(kDown);
  CHECK(screen.order() == Lines{"BETA", ">ALPHA", "GAMMA"});
  screen.press("c");
  CHECK(screen.order() == Lines{">ALPHA", "GAMMA", "BETA"});
  DropTable without = sample_table(2);
  without.rows.erase(without.rows.begin() + 1);
  screen.screen.show(without);
  CHECK(screen.order() == Lines{">GAMMA", "BETA"});
  screen.press("\x1b[F");
  CHECK(screen.order() == Lines{"GAMMA", ">BETA"});
  screen.press(std::string(kUp) + kUp + kUp);
  CHECK(screen.order() == Lines{">GAMMA", "BETA"});
}

TEST_CASE("the filter leaves the rows that have the text in them, as it is typed") {
  Screen screen(true);
  screen.screen.show(sample_table());
  screen.press("/ALP");
  CHECK(screen.text().back() == "filter: ALP_");
  CHECK(screen.has("ALPHA"));
  CHECK_FALSE(screen.has("GAMMA"));
  screen.press("\x7f\x7f\x7fof gamma q");  // of the sample; q is text here
  CHECK(screen.has("no row has \"of gamma q\" in it"));
  screen.press("\x7f\x7f\r");
  CHECK(screen.has("GAMMA 20"));
  CHECK_FALSE(screen.has("ALPHA"));
  CHECK(screen.text().back().starts_with("by rate  filter \"of gamma\""));
  screen.press("\x1b");
  CHECK(screen.has("ALPHA"));
  screen.press("/beta\x1b");
  CHECK(screen.has("ALPHA"));
}

TEST_CASE("a row is one line; the filter also finds its packet, details are asked for") {
  const Names names = sample::names();
  DropTable table;
  table.rows = {row(9, 10, 500, 9.0, 50)};
  table.rows[0].kind = sample::kind();
  table.rows[0].samples = {sample::drop_sample()};
  table.harmless = {5, 500};
  for (const bool details : {false, true}) {
    DropScreen screen(names, {.details = details});
    screen.resize({80, 24});
    screen.show(table);
    for (const Key& key : KeyDecoder().feed("/10.244.6.3\r")) screen.press(key);
    const Lines lines = screen.lines();
    const auto has = [&](std::string_view part) {
      return std::any_of(lines.begin(), lines.end(),
                         [&](const auto& line) { return line.find(part) != std::string::npos; });
    };
    CHECK(lines[2].find("IP_INADDRERRORS ") != std::string::npos);
    CHECK(has("5 normal frees (not losses; a shows them)"));
    CHECK(has("→ 10.244.6.3:53") == details);
    CHECK(has("stack: ip_error ip_rcv") == details);
  }
}

TEST_CASE("a frozen screen stays, and goes on with the newest table") {
  Screen screen;
  screen.screen.show(sample_table(1));
  screen.press("f");
  screen.screen.show(sample_table(2));
  screen.screen.show(sample_table(3));
  CHECK(screen.has("interval 1"));
  CHECK(screen.has("FROZEN"));
  screen.press("c");
  CHECK(screen.order().front() == "ALPHA");
  screen.press(" ");
  CHECK(screen.has("interval 3"));
  CHECK_FALSE(screen.has("FROZEN"));
  CHECK(screen.order().front() == "ALPHA");
}

TEST_CASE("Enter opens a row into its packets, which renew themselves and scroll") {
  Screen screen;
  screen.screen.show(sample_table());
  screen.press(std::string(kDown) + kDown + "\r");
  CHECK(screen.text().front() == "opened ALPHA 30");
  DropTable later = sample_table();
  later.rows[1].total.packets = 31;
  screen.screen.show(later);
  CHECK(screen.text().front() == "opened ALPHA 31");
  screen.screen.show({});
  CHECK(screen.text().front() == "opened ALPHA 31");
  screen.press(kDown);
  CHECK(screen.text().front() == "packet 0");
  screen.press("\x1b[6~");
  CHECK(screen.text()[18] == "packet 19");
  screen.press(kUp);
  CHECK(screen.text()[18] == "packet 18");
  screen.press("\x1b[H");
  CHECK(screen.text().front() == "opened ALPHA 31");
  screen.screen.show(sample_table());
  screen.press("\r");
  CHECK(screen.order() == Lines{"BETA", ">ALPHA", "GAMMA"});
}

TEST_CASE("Enter without a selection opens the first row") {
  Screen screen;
  screen.screen.show(sample_table());
  screen.text();
  screen.press("\r");
  CHECK(screen.text().front() == "opened BETA 10");
  screen.press("\x1b");
  CHECK(screen.order().front() == ">BETA");
}

TEST_CASE("more rows than there is room for scroll with the selection, each seen whole") {
  Screen screen;
  DropTable table;
  for (std::uint32_t i = 0; i < 40; ++i) {
    screen.names.reasons[100 + i] = fmt::format("ROW{}", i);
    table.rows.push_back(row(100 + i, 1, 1, 100.0 - i, 1));
  }
  screen.screen.show(table);
  CHECK(screen.has("ROW7 "));
  CHECK_FALSE(screen.has("ROW8 "));  // 17 lines for rows of 2
  CHECK(screen.text().back().find("rows 1 to 8 of 40") != std::string::npos);
  screen.press("\x1b[6~");
  screen.text();
  screen.press("\x1b[6~");
  CHECK(screen.has("> ROW16 "));
  CHECK_FALSE(screen.has("ROW8 "));
  screen.press("\x1b[F");
  CHECK(screen.has("> ROW39 "));
  CHECK(screen.has("sample of ROW39"));
  CHECK(screen.text().back().find("rows 33 to 40 of 40") != std::string::npos);
  screen.press("\x1b[H");
  CHECK(screen.has("> ROW0 "));
}

TEST_CASE("the tail leaves two thirds to the rows, and says what has no room") {
  Screen screen;
  DropTable table = sample_table();
  for (int i = 0; i < 30; ++i) table.counters.push_back({"tcp", fmt::format("C{}", i), {}, 1, 1});
  screen.screen.show(table);
  CHECK(screen.has("counter C0"));
  CHECK(screen.has("GAMMA"));
  CHECK(screen.has("... and 20 lines more, in a higher window"));
}

TEST_CASE("help and a warning take lines at the bottom") {
  Screen screen;
  screen.screen.show(sample_table());
  screen.screen.tell("3 events lost");
  screen.press("h");
  CHECK(screen.text()[18] == "3 events lost");
  CHECK(screen.has("sort by: r rate"));
  screen.press("?");
  CHECK_FALSE(screen.has("sort by: r rate"));
}

TEST_CASE("no picture is larger than the screen, whatever its size and what it shows") {
  const bool colour = GENERATE(false, true);
  const auto keys = GENERATE(as<std::string>{}, "", "h", "\x1b[B\r", "/zz", "\x1b[B\x1b[6~");
  Screen screen(colour);
  DropTable table = sample_table();
  for (int i = 0; i < 5; ++i) table.counters.push_back({"tcp", "C", {}, 1, 1});
  for (std::size_t width : {0, 1, 2, 3, 10, 200}) {
    for (std::size_t height : {0, 1, 2, 3, 4, 5, 8, 50}) {
      screen.screen.resize({width, height});
      screen.screen.show(table);
      screen.press(keys);
      const Lines lines = screen.screen.lines();
      CHECK(lines.size() == height);
      for (const auto& line : lines) CHECK(columns(line) <= width);
    }
  }
}

TEST_CASE("the selected row is reverse in colour, and only marked without") {
  for (const bool colour : {false, true}) {
    Screen screen(colour);
    screen.screen.show(sample_table());
    screen.text();
    screen.press(kDown);
    const auto lines = screen.screen.lines();
    const bool reversed = std::any_of(
        lines.begin(), lines.end(), [](const auto& line) { return line.starts_with("\x1b[7m> "); });
    const bool any_code = std::any_of(lines.begin(), lines.end(), [](const auto& line) {
      return line.find('\x1b') != std::string::npos;
    });
    CHECK(reversed == colour);
    CHECK(any_code == colour);
  }
}
