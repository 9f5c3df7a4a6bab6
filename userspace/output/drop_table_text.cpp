#include "output/drop_table_text.hpp"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "output/drop_columns.hpp"
#include "verdict/drop_stack.hpp"
#include "words/drop_words.hpp"
#include "words/flow_words.hpp"
#include "words/hop_words.hpp"
#include "words/time_text.hpp"
#include "words/verdict_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kSample = 4;  // column at which the lines under a row start

std::string text_of(const Buffer& buffer) { return std::string(view(buffer)); }

/// The first `width` columns of a text.
std::string_view cut(std::string_view text, std::size_t width) {
  std::size_t end = 0, used = 0;
  while (end < text.size()) {
    const bool is_start = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (is_start && used++ == width) break;
    ++end;
  }
  return text.substr(0, end);
}

/// Lines builds lines of pieces that stay whole: each piece goes behind the one before while there
/// is room.
class Lines {
 public:
  explicit Lines(const DropTableStyle& style) : width_(style.width), paint_(style.colour) {}

  /// Begins a line with `lead`; lines that continue it are indented.
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
  /// Adds a line that already has its width.
  void line(std::string_view text, std::optional<Style> style) {
    end();
    add(text, style);
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
  void flush() { add(cut(line_, width_), style_); }
  void add(std::string_view text, std::optional<Style> style) {
    Buffer out;
    if (style) {
      paint_.text(out, *style, text);
    } else {
      append(out, text);
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

std::string count_words(std::uint64_t count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
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
  if (row.kind.folded) return lines.piece(kFoldedWords);
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
  Buffer out;
  append_drop_interface(out, row.kind.interface, names, {row.named_at_ns()});
  lines.piece(view(out));
  if (!row.kind.pod) return;
  out.clear();
  append(out, ", from or to pod ");
  append_drop_pod(out, *row.kind.pod, names, row.named_at_ns());
  lines.piece(view(out));
}

void add_stack(Lines& lines, const DropSample& sample, const Names& names) {
  const auto stack = dropping_stack(sample.drop, names);
  if (stack.empty()) return;
  lines.begin(std::string(kSample, ' ') + "stack:", kSample + 2, Style::kDim);
  for (const auto address : stack) {
    const std::string function = names.function(address);
    lines.piece(' ' + (function.empty() ? names.location(address) : function));
  }
}

// Adds what the line of the row has no room for; it repeats only the packets.
void add_details(Lines& lines, const DropRow& row, const Names& names, std::string_view lead) {
  const auto begin = [&] { lines.begin(lead, kSample, Style::kDim); };
  begin();
  lines.piece(count_words(row.total.packets, "packet", "packets"));
  lines.piece(", " + count_words(row.total.bytes, "byte", "bytes"));
  lines.piece(fmt::format(", {} a second now", rate_words(row.rate)));
  if (row.rate_before > 0) lines.piece(fmt::format(", {} before", rate_words(row.rate_before)));
  begin();
  lines.piece("first seen " + date_words(row.first_ns, names));
  lines.piece(", last " + date_words(row.last_ns, names));
  const std::string site = drop_site_words(row, names);
  if (site.empty()) return;
  begin();
  lines.piece(site);
}

// A line that is not `whole` ends between words.
void add_words(Lines& lines, std::string_view lead, std::string_view text, bool whole,
               std::optional<Style> style) {
  Buffer clean;
  append_name(clean, text);
  const std::string words = text_of(clean);
  if (whole) return lines.line(std::string(lead) + words, style);
  lines.begin(lead, lead.size(), style);
  for (std::size_t at = 0; at < words.size();) {
    const std::size_t end = std::min(words.find(' ', at + 1), words.size());
    lines.piece(std::string_view(words).substr(at, end - at));
    at = end;
  }
}

void add_cause(Lines& lines, const DropRow& row, const Names& names, std::string_view lead,
               const DropTableStyle& style) {
  const auto explanation = explanation_of(row, names);
  if (!explanation || explanation->sentence.empty()) return;
  std::string why = explanation->sentence;
  if (!explanation->evidence.empty())
    why += fmt::format(" ({})", fmt::join(explanation->evidence, "; "));
  add_words(lines, std::string(lead) + "why   ", why, style.whole, {});
  // On the screen a line that is too long is lost; elsewhere a command is whole, to be pasted.
  for (const std::string& command : explanation->fix)
    add_words(lines, std::string(lead) + "fix   ", command, !style.keys, Style::kGood);
}

std::optional<Style> style_of(const DropRow& row) {
  if (!row.is_loss()) return Style::kDim;
  if (row.is_new) return Style::kWarn;
  return row.interval.packets != 0 ? std::optional(Style::kHead) : std::nullopt;
}

std::vector<std::string> row_lines(const DropRow& row, const std::string& line, const Names& names,
                                   const DropTableStyle& style) {
  Lines lines(style);
  const std::string lead(kSample, ' ');
  lines.line(line, style_of(row));
  if (style.details) {
    if (!row.is_loss()) {
      lines.begin(lead, kSample, Style::kDim);
      lines.piece(end_words(row.end));
    }
    add_details(lines, row, names, lead);
  }
  if (style.causes || style.details) add_cause(lines, row, names, lead, style);
  if ((style.samples || style.details) && !row.samples.empty()) {
    lines.begin(lead, kSample, Style::kDim);
    add_flow(lines, row.samples.back(), names);
    if (style.details) add_stack(lines, row.samples.back(), names);
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
    const bool is_one = table.harmless.packets == 1;
    lines.piece(fmt::format(" ({}; {} shows {})", is_one ? "not a loss" : "not losses",
                            style.keys ? "a" : "--all", is_one ? "it" : "them"));
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
    lines.piece(
        count_words(table.samples_lost, "sample packet was lost", "sample packets were lost"));
    lines.piece("; every drop was counted");
  }
  if (table.not_examined != 0) {
    lines.begin("", kSample, Style::kWarn);
    lines.piece(count_words(table.not_examined, "drop", "drops"));
    lines.piece(" came while another one was counted");
    lines.piece("; whether the filter meant them is not known");
  }
  for (const auto& counter : table.counters) add_counter(lines, counter, names);
  return lines.take();
}

}  // namespace

DropTableText drop_table_text(const DropTable& table, const Names& names,
                              const DropTableStyle& style) {
  DropTableText text;
  text.title = title_lines(table, names, style);
  std::vector<const DropRow*> shown;
  for (const auto& row : table.rows) {
    const bool is_shown = (row.is_loss() || style.all) &&
                          (style.idle || row.interval.packets != 0 || row.rate_before > 0);
    if (is_shown) shown.push_back(&row);
  }
  const DropColumns columns(table, shown, names, {style.width, style.all, style.whole});
  Lines lines(style);
  lines.line(columns.head(), Style::kDim);
  text.head = lines.take();
  for (std::size_t i = 0; i < shown.size(); ++i)
    text.rows.push_back({shown[i], row_lines(*shown[i], columns.line(i), names, style)});
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
  add_details(lines, row, names, "");
  if (const auto cause = proved_cause(row); !cause.empty()) {
    lines.begin("", kSample);
    lines.piece(fmt::format("cause {}", cause));
    lines.piece(fmt::format(" (dptrace explain {})", cause));
  }
  add_cause(lines, row, names, "", style);
  TimeText clock(TimeText::Form::kLocalTime);
  for (auto sample = row.samples.rbegin(); sample != row.samples.rend(); ++sample) {
    Buffer out;
    clock.append_to(out,
                    static_cast<std::int64_t>(sample->drop.time_ns) + names.wall_clock_offset_ns);
    out.push_back(' ');
    lines.begin(view(out), kSample);
    add_flow(lines, *sample, names);
    add_stack(lines, *sample, names);
  }
  return lines.take();
}

}  // namespace dptrace
