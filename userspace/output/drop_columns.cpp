#include "output/drop_columns.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "model/end.hpp"
#include "words/drop_words.hpp"
#include "words/protocol_words.hpp"

namespace dptrace {

namespace {

enum Column : std::size_t { kLoss, kReason, kCause, kLocation, kProtocol, kInterface, kPod };

constexpr std::array<const char*, 7> kHeads = {"LOSS",  "REASON",    "CAUSE", "LOCATION",
                                               "PROTO", "INTERFACE", "POD"};
constexpr const char* kCauseOrLocation = "CAUSE OR LOCATION";

// At these widths and more, there may be room for the bytes and for the last-seen time.
constexpr std::size_t kWithBytes = 100;
constexpr std::size_t kWithLastSeen = 118;

// Columns give away room in this order, each down to its width here. Reasons and locations only
// lose the blanks behind shorter words.
struct Least {
  Column column;
  std::size_t width;
};
constexpr std::array<Least, 7> kLeast = {{{kPod, 16},
                                          {kInterface, 16},
                                          {kProtocol, 10},
                                          {kPod, 8},
                                          {kInterface, 10},
                                          {kReason, 14},
                                          {kLocation, 20}}};
constexpr std::array<std::size_t, 7> kShortest = {0, 0, 0, 0, 6, 8, 0};

bool can_be_cut(std::size_t column) { return column >= kProtocol; }

std::string plain(const Buffer& words) {
  Buffer out;
  append_name(out, view(words));
  return std::string(view(out));
}

template <typename Append>
std::string words_of(Append append) {
  Buffer out;
  append(out);
  return plain(out);
}

/// The protocol as `ICMP/8` instead of `ICMP echo request`.
std::string brief_protocol(const DropKind& kind, const std::string& words) {
  if (kind.family == 0) return words;
  if (kind.protocol == IPPROTO_ICMP) return fmt::format("ICMP/{}", kind.icmp_type);
  return kind.protocol == IPPROTO_ICMPV6 ? fmt::format("ICMPv6/{}", kind.icmp_type) : words;
}

/// The interface without its role: `eth0 in default/web`, `eth0 in n2`.
std::string brief_interface(InterfaceId id, const Names& names, std::uint64_t at_ns) {
  std::string words = words_of([&](Buffer& out) {
    append_drop_interface(out, id, names, {.at_ns = at_ns, .roles = false});
  });
  for (const std::string_view place : {"in pod ", "in netns "}) {
    const auto found = words.find(place);
    if (found != std::string::npos) words.replace(found, place.size(), "in ");
  }
  return words;
}

std::string loss_words(const DropRow& row, bool brief) {
  if (row.is_loss()) return "yes";
  return brief ? "no" : fmt::format("no: {}", end_name(row.end));
}

}  // namespace

std::string shortened(const std::string& text, std::size_t width) {
  if (text.size() <= width) return text;
  if (width == 0) return {};
  const std::size_t tail = (width - 1) / 2;
  return text.substr(0, width - 1 - tail) + "…" + text.substr(text.size() - tail);
}

DropColumns::DropColumns(const DropTable& table, const std::vector<const DropRow*>& rows,
                         const Names& names, const ColumnStyle& style)
    : style_(style) {
  const bool is_narrow = style.width < kWithBytes && !style.whole;
  for (const DropRow* row : rows) {
    const DropKind& kind = row->kind;
    const std::uint64_t at_ns = row->named_at_ns();
    Line line;
    if (row->is_new) line.mark = "*";
    line.packets = std::to_string(row->total.packets);
    line.rate = rate_words(row->rate);
    line.bytes = fmt::format(" {:>8}", size_words(row->total.bytes));
    line.last_seen = fmt::format(" {:>9}", time_words(row->last_ns, table.time_ns, names));
    line.folded = kind.folded;
    Words& words = line.words;
    words[kCause] = proved_cause(*row);
    if (style.all) words[kLoss] = loss_words(*row, is_narrow);
    if (kind.folded) {
      words[kReason] = kFoldedWords;
    } else {
      words[kReason] = words_of([&](Buffer& out) { append_drop_reason(out, kind, names); });
      words[kLocation] = words_of([&](Buffer& out) { append(out, names.location(kind.location)); });
      line.function = words_of([&](Buffer& out) { append(out, names.function(kind.location)); });
      words[kProtocol] = words_of([&](Buffer& out) { append_drop_protocol(out, kind); });
    }
    words[kInterface] =
        words_of([&](Buffer& out) { append_drop_interface(out, kind.interface, names, {at_ns}); });
    line.brief_protocol = brief_protocol(kind, words[kProtocol]);
    line.brief_interface = brief_interface(kind.interface, names, at_ns);
    if (kind.pod)
      words[kPod] = words_of([&](Buffer& out) { append_drop_pod(out, *kind.pod, names, at_ns); });
    lines_.push_back(std::move(line));
  }
  fit();
}

DropColumns::Line DropColumns::head_line() const {
  Line line;
  line.packets = "PACKETS";
  line.rate = "NOW/S";
  line.bytes = fmt::format(" {:>8}", "BYTES");
  line.last_seen = fmt::format(" {:>9}", "LAST SEEN");
  std::copy(kHeads.begin(), kHeads.end(), line.words.begin());
  if (is_cause_or_location_) line.words[kLocation] = kCauseOrLocation;
  return line;
}

std::string DropColumns::figures(const Line& line) const {
  return fmt::format("{}{:>{}} {:>{}}", line.mark, line.packets, packets_, line.rate, rate_) +
         (has_bytes_ ? line.bytes : "") + (has_last_seen_ ? line.last_seen : "") + "  ";
}

void DropColumns::measure() {
  const Line head = head_line();
  packets_ = head.packets.size();
  rate_ = head.rate.size();
  widths_ = {};
  for (const Line& line : lines_) {
    packets_ = std::max(packets_, line.packets.size());
    rate_ = std::max(rate_, line.rate.size());
    for (std::size_t i = 0; i < kCount; ++i) {
      // The words of a folded row may reach into the empty columns behind them.
      const std::size_t width = line.folded && i == kReason ? 1 : line.words[i].size();
      widths_[i] = std::max(widths_[i], width);
    }
  }
  figures_ = figures(head).size();
  for (std::size_t i = 0; i < kCount; ++i) {
    if (widths_[i] != 0) widths_[i] = std::max(widths_[i], head.words[i].size());
  }
}

std::size_t DropColumns::wanted() const {
  std::size_t width = figures_;
  for (const std::size_t column : widths_) width += column == 0 ? 0 : column + gap_;
  return width - std::min(width, gap_);
}

void DropColumns::be_brief() {
  for (Line& line : lines_) {
    line.words[kProtocol] = line.brief_protocol;
    line.words[kInterface] = line.brief_interface;
  }
}

// Leaves out the offset where a function drops at one place only, as far as these rows know.
void DropColumns::leave_out_offsets() {
  std::map<std::string, std::set<std::string>> places;
  for (const Line& line : lines_) places[line.function].insert(line.words[kLocation]);
  for (Line& line : lines_) {
    if (!line.function.empty() && places[line.function].size() == 1)
      line.words[kLocation] = line.function;
  }
}

// Where a cause is proved, the function says little more.
void DropColumns::put_causes_for_locations() {
  for (Line& line : lines_) {
    if (line.words[kCause].empty()) continue;
    line.words[kLocation] = std::exchange(line.words[kCause], {});
    is_cause_or_location_ = true;
  }
}

void DropColumns::fit() {
  has_bytes_ = style_.width >= kWithBytes;
  has_last_seen_ = style_.width >= kWithLastSeen;
  measure();
  if (style_.whole || wanted() <= style_.width) return;
  const auto fits_after = [&](auto step) {
    step();
    measure();
    return wanted() <= style_.width;
  };
  if (fits_after([&] { has_last_seen_ = false; }) || fits_after([&] { gap_ = 1; }) ||
      fits_after([&] { be_brief(); }) || fits_after([&] { has_bytes_ = false; }) ||
      fits_after([&] { leave_out_offsets(); }) || fits_after([&] { put_causes_for_locations(); }))
    return;
  for (const auto& [column, least] : kLeast) {
    const std::size_t width = wanted();
    if (width <= style_.width) return;
    const std::size_t spare = widths_[column] - std::min(widths_[column], least);
    widths_[column] -= std::min(spare, width - style_.width);
  }
}

std::string DropColumns::joined(const Line& shown) const {
  const Words& words = shown.words;
  std::string line = figures(shown);
  const std::size_t first = line.size();
  std::size_t begin = first;  // where the column begins
  for (std::size_t i = 0; i < kCount; ++i) {
    if (widths_[i] == 0) continue;
    // A long word in the column before may reach into this one. Then this one begins later, and
    // words that can be cut get less room.
    if (columns(line) > first && columns(line) + gap_ > begin) line.append(gap_, ' ');
    if (columns(line) < begin) line.append(begin - columns(line), ' ');
    begin += widths_[i] + gap_;
    if (style_.whole || !can_be_cut(i)) {
      line += words[i];
      continue;
    }
    std::size_t later = 0;
    for (std::size_t j = i + 1; j < kCount; ++j) {
      if (widths_[j] != 0) later += std::min(words[j].size(), kShortest[j]) + gap_;
    }
    const std::size_t used = columns(line) + later;
    const std::size_t left = style_.width - std::min(style_.width, used);
    line += shortened(words[i], std::min(widths_[i], std::max(left, kShortest[i])));
  }
  while (line.ends_with(' ')) line.pop_back();
  if (style_.whole || columns(line) <= style_.width) return line;
  // A line of no width has no room for the `…`.
  if (style_.width == 0) return {};
  while (columns(line) >= style_.width) line.pop_back();
  return line + "…";
}

std::string DropColumns::head() const { return joined(head_line()); }

std::string DropColumns::line(std::size_t index) const { return joined(lines_[index]); }

}  // namespace dptrace
