#include "output/drop_table_text.hpp"

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <optional>
#include <utility>

#include "verdict/drop_stack.hpp"
#include "words/drop_words.hpp"
#include "words/flow_words.hpp"
#include "words/hop_words.hpp"
#include "words/time_text.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kWords = 43;  // where the words of a row start, behind its figures
constexpr std::size_t kSample = 4;  // where the line of the sample starts
constexpr std::uint64_t kNsPerSecond = 1'000'000'000;

std::string text_of(const Buffer& buffer) { return std::string(view(buffer)); }

/// The first `width` columns.
std::string_view cut(std::string_view text, std::size_t width) {
  std::size_t end = 0, used = 0;
  while (end < text.size()) {
    const bool is_start = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (is_start && used++ == width) break;
    ++end;
  }
  return text.substr(0, end);
}

/// Lines in the making: pieces that stay whole go behind each other while there is room.
class Lines {
 public:
  explicit Lines(const DropTableStyle& style) : width_(style.width), paint_(style.colour) {}

  /// Begins a line with `lead`; those that continue it are indented.
  void begin(std::string_view lead, std::size_t indent, std::optional<Style> style = {}) {
    end();
    line_ = lead;
    indent_ = indent;
    style_ = style;
    is_open_ = true;
  }
  void piece(std::string_view text) {
    if (columns(line_) + columns(text) > width_ && columns(line_) > indent_) {
      flush();
      line_.assign(indent_, ' ');
      while (text.starts_with(' ') || text.starts_with(',')) text.remove_prefix(1);
    }
    line_ += text;
  }
  std::vector<std::string> take() {
    end();
    return std::exchange(lines_, {});
  }

 private:
  void end() {
    if (is_open_) flush();
    is_open_ = false;
  }
  void flush() {
    const std::string_view shown = cut(line_, width_);
    Buffer out;
    if (style_) {
      paint_.text(out, *style_, shown);
    } else {
      append(out, shown);
    }
    lines_.push_back(text_of(out));
  }

  const std::size_t width_;
  const Paint paint_;
  std::vector<std::string> lines_;
  std::string line_;
  std::size_t indent_ = 0;
  std::optional<Style> style_;
  bool is_open_ = false;
};

/// `12:00:01`; of another day than `now`, `Nov 20`.
std::string time_words(std::uint64_t time_ns, std::uint64_t now_ns, const Names& names) {
  const auto local = [&](std::uint64_t ns) {
    const auto wall = static_cast<std::int64_t>(ns) + names.wall_clock_offset_ns;
    const auto second = static_cast<std::time_t>(wall / static_cast<std::int64_t>(kNsPerSecond));
    std::tm fields{};
    localtime_r(&second, &fields);
    return fields;
  };
  const std::tm then = local(time_ns), now = local(now_ns);
  const bool today = then.tm_yday == now.tm_yday && then.tm_year == now.tm_year;
  std::array<char, 16> text{};
  const auto length = std::strftime(text.data(), text.size(), today ? "%H:%M:%S" : "%b %d", &then);
  return {text.data(), length};
}

/// `98.4K`, powers of 1024.
std::string size_words(std::uint64_t bytes) {
  constexpr std::string_view kUnits = "KMGTPE";
  if (bytes < 1024) return fmt::format("{}", bytes);
  auto value = static_cast<double>(bytes) / 1024;
  std::size_t unit = 0;
  while (value >= 999.95 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return fmt::format("{:.1f}{}", value, kUnits[unit]);
}

std::string rate_words(double rate) {
  return rate >= 1e6 ? fmt::format("{:.3g}M", rate / 1e6) : fmt::format("{:.1f}", rate);
}

std::string count_words(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string interface_words(InterfaceId id, const Names& names, std::uint64_t at_ns) {
  Buffer out;
  append_interface(out, id, names, {at_ns});
  return out.size() == 0 ? "no interface" : text_of(out);
}

std::string pod_words(const Address& address, const Names& names, std::uint64_t at_ns) {
  const auto pod = names.pod_of_address(address, at_ns);
  Buffer out;
  append(out, "pod ");
  if (!pod.empty()) {
    append_name(out, pod);
  } else {
    append_address(out, address.bytes);
  }
  return text_of(out);
}

void add_flow(Lines& lines, const DropSample& sample, const Names& names) {
  FlowWords words;
  write_flow(words, sample.flow, names, sample.drop.time_ns);
  const std::string_view text = view(words.text);
  lines.piece(text.substr(0, words.destination));
  lines.piece(text.substr(words.destination, words.details - words.destination));
  lines.piece(text.substr(words.details));
  if (!sample.tunnel) return;
  Buffer out;
  append(out, ", in ");
  append_tunnel(out, *sample.tunnel);
  lines.piece(view(out));
}

void add_kind(Lines& lines, const DropRow& row, const Names& names) {
  if (row.kind.folded) return lines.piece("other: more kinds than its share");
  Buffer out;
  append_drop_reason(out, row.kind, names);
  lines.piece(view(out));
  out.clear();
  out.push_back(' ');
  append_drop_protocol(out, row.kind);
  lines.piece(view(out));
  lines.piece(" at " + names.location(row.kind.location));
  if (!row.is_loss()) lines.piece(fmt::format(", {}", end_words(row.end)));
}

void add_place(Lines& lines, const DropRow& row, const Names& names) {
  lines.piece(interface_words(row.kind.interface, names, row.named_at_ns()));
  if (row.kind.pod) lines.piece(", " + pod_words(*row.kind.pod, names, row.named_at_ns()));
}

std::optional<Style> style_of(const DropRow& row) {
  if (!row.is_loss()) return Style::kDim;
  if (row.is_new) return Style::kWarn;
  return row.interval.packets != 0 ? std::optional(Style::kHead) : std::nullopt;
}

std::vector<std::string> row_lines(const DropTable& table, const DropRow& row, const Names& names,
                                   const DropTableStyle& style) {
  Lines lines(style);
  lines.begin(
      fmt::format("{}{:>11} {:>9} {:>9} {:>9}  ", row.is_new ? '*' : ' ', row.total.packets,
                  rate_words(row.rate), rate_words(row.rate_before), size_words(row.total.bytes)),
      kWords, style_of(row));
  add_kind(lines, row, names);
  lines.begin(fmt::format(" {:>11} {:>9}{:>22}", time_words(row.first_ns, table.time_ns, names),
                          time_words(row.last_ns, table.time_ns, names), ""),
              kWords);
  add_place(lines, row, names);
  if (style.samples && !row.samples.empty()) {
    lines.begin(std::string(kSample, ' '), kSample, Style::kDim);
    add_flow(lines, row.samples.back(), names);
  }
  return lines.take();
}

std::vector<std::string> title_lines(const DropTable& table, const Names& names,
                                     const DropTableStyle& style) {
  DropCount lost = table.other_interval;
  std::size_t kinds = 0;
  for (const auto& row : table.rows) {
    if (!row.is_loss()) continue;
    lost += row.interval;
    if (row.interval.packets != 0) ++kinds;
  }
  Buffer length;
  append_duration(length, table.interval_ns);
  Lines lines(style);
  lines.begin(time_words(table.time_ns, table.time_ns, names), kSample, Style::kHead);
  lines.piece(
      fmt::format("  {} lost in {}", count_words(lost.packets, "packet", "packets"), view(length)));
  lines.piece(fmt::format(" ({})", count_words(kinds, "kind", "kinds")));
  lines.piece(fmt::format(", {} since the watch began", table.losses.packets));
  return lines.take();
}

std::vector<std::string> head_lines(const DropTableStyle& style) {
  Lines lines(style);
  lines.begin(fmt::format(" {:>11} {:>9} {:>9} {:>9}  ", "PACKETS", "NOW/S", "BEFORE/S", "BYTES"),
              kWords, Style::kDim);
  lines.piece("REASON PROTOCOL at LOCATION");
  lines.begin(fmt::format(" {:>11} {:>9}{:>22}", "FIRST SEEN", "LAST SEEN", ""), kWords,
              Style::kDim);
  lines.piece("INTERFACE (ROLE), POD");
  if (style.samples) lines.begin(std::string(kSample, ' ') + "SAMPLE", kSample, Style::kDim);
  return lines.take();
}

void add_counter(Lines& lines, const LossCounter& counter, const Names& names) {
  lines.begin("counter ", kSample);
  Buffer name;
  append_name(name, counter.group);
  name.push_back(' ');
  append_name(name, counter.name);
  lines.piece(view(name));
  Buffer place;
  append_interface(place, counter.interface, names, {});
  if (place.size() != 0) lines.piece(", " + text_of(place));
  lines.piece(fmt::format(": {}", counter.total));
  if (counter.interval != 0) lines.piece(fmt::format(" (+{})", counter.interval));
}

std::vector<std::string> tail_lines(const DropTable& table, const Names& names,
                                    const DropTableStyle& style) {
  Lines lines(style);
  if (!style.all && table.harmless.packets != 0) {
    lines.begin("and ", kSample, Style::kDim);
    lines.piece(count_words(table.harmless.packets, "normal free", "normal frees"));
    lines.piece(table.harmless.packets == 1 ? " (not a loss; --all shows it)"
                                            : " (not losses; --all shows them)");
  }
  if (table.folded_rows != 0) {
    lines.begin("and ", kSample);
    lines.piece(count_words(table.folded.packets, "packet", "packets"));
    lines.piece(fmt::format(" of {} not seen for long and not listed any more",
                            count_words(table.folded_rows, "kind", "kinds")));
  }
  if (table.other.packets != 0) {
    lines.begin("other: ", kSample, Style::kWarn);
    lines.piece(count_words(table.other.packets, "packet", "packets"));
    if (table.other_interval.packets != 0)
      lines.piece(fmt::format(" (+{})", table.other_interval.packets));
    lines.piece(" counted without their kind: more kinds at once than there is room for");
  }
  if (table.samples_lost != 0) {
    lines.begin("", kSample, Style::kWarn);
    lines.piece(count_words(table.samples_lost, "sample was lost", "samples were lost"));
    lines.piece("; every packet was counted");
  }
  if (table.not_examined != 0) {
    lines.begin("", kSample, Style::kWarn);
    lines.piece(count_words(table.not_examined, "drop", "drops"));
    lines.piece(" amid the count of another could not be held against the filter");
  }
  for (const auto& counter : table.counters) add_counter(lines, counter, names);
  return lines.take();
}

}  // namespace

DropTableText drop_table_text(const DropTable& table, const Names& names,
                              const DropTableStyle& style) {
  DropTableText text;
  text.title = title_lines(table, names, style);
  text.head = head_lines(style);
  for (const auto& row : table.rows) {
    const bool is_shown = (row.is_loss() || style.all) &&
                          (style.idle || row.interval.packets != 0 || row.rate_before > 0);
    if (is_shown) text.rows.push_back({&row, row_lines(table, row, names, style)});
  }
  text.tail = tail_lines(table, names, style);
  return text;
}

std::vector<std::string> drop_table_lines(const DropTable& table, const Names& names,
                                          const DropTableStyle& style) {
  DropTableText text = drop_table_text(table, names, style);
  std::vector<std::string> lines = std::move(text.title);
  const auto add = [&](std::vector<std::string>& more) {
    std::move(more.begin(), more.end(), std::back_inserter(lines));
  };
  if (!text.rows.empty()) add(text.head);
  for (auto& row : text.rows) add(row.lines);
  add(text.tail);
  return lines;
}

std::vector<std::string> drop_row_lines(const DropRow& row, const Names& names,
                                        const DropTableStyle& style) {
  Lines lines(style);
  lines.begin("", kSample, Style::kHead);
  add_kind(lines, row, names);
  lines.begin("", kSample);
  add_place(lines, row, names);
  lines.begin(count_words(row.total.packets, "packet", "packets"), kSample);
  lines.piece(", " + count_words(row.total.bytes, "byte", "bytes"));
  lines.piece(fmt::format(", {} a second now", rate_words(row.rate)));
  lines.piece(fmt::format(", {} before", rate_words(row.rate_before)));
  TimeText clock(TimeText::Form::kLocalTime);
  for (auto sample = row.samples.rbegin(); sample != row.samples.rend(); ++sample) {
    Buffer out;
    clock.append_to(out,
                    static_cast<std::int64_t>(sample->drop.time_ns) + names.wall_clock_offset_ns);
    out.push_back(' ');
    lines.begin(view(out), kSample);
    add_flow(lines, *sample, names);
    lines.begin(std::string(kSample, ' '), kSample, Style::kDim);
    for (const auto address : dropping_stack(sample->drop, names)) {
      const std::string function = names.function(address);
      lines.piece(' ' + (function.empty() ? names.location(address) : function));
    }
  }
  return lines.take();
}

}  // namespace dptrace
