#include "words/summary_words.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "words/time_text.hpp"

namespace dptrace {

namespace {

struct Count {
  Verdict verdict;
  std::string_view words;
  Style style;
};

constexpr std::array<Count, kVerdicts> kCounts = {{
    {Verdict::kDelivered, "delivered", Style::kGood},
    {Verdict::kLeftNode, "left the node", Style::kGood},
    {Verdict::kDropped, "DROPPED", Style::kBad},
    {Verdict::kStolen, "stolen", Style::kWarn},
    {Verdict::kUnfinished, "unfinished", Style::kWarn},
}};

void append_packets(Buffer& out, const Summary& summary, const Paint& paint) {
  const std::uint64_t total = summary.total();
  paint.begin(out, Style::kHead);
  fmt::format_to(fmt::appender(out), "{} {}", total, total == 1 ? "packet" : "packets");
  paint.end(out);
  append(out, " in ");
  append_duration(out, summary.duration_ns);
  std::string_view separator = ": ";
  for (const auto& [verdict, words, style] : kCounts) {
    const std::uint64_t count = summary.packets[static_cast<std::size_t>(verdict)];
    if (count == 0) continue;
    append(out, separator);
    separator = ", ";
    fmt::format_to(fmt::appender(out), "{} ", count);
    paint.text(out, style, words);
  }
  if (summary.lost_copies != 0) {
    fmt::format_to(fmt::appender(out), "; of {} not lost a copy was ", summary.lost_copies);
    paint.text(out, Style::kBad, "DROPPED");
  }
  out.push_back('\n');
}

void append_drops(Buffer& out, const Summary& summary) {
  std::vector<std::pair<std::uint64_t, std::string_view>> drops;
  for (const auto& [reason, count] : summary.drops) drops.emplace_back(count, reason);
  std::stable_sort(drops.begin(), drops.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [count, reason] : drops) {
    fmt::format_to(fmt::appender(out), "{:>10}  ", count);
    append_name(out, reason);
    out.push_back('\n');
  }
}

void append_events(Buffer& out, const Summary& summary, const Paint& paint) {
  fmt::format_to(fmt::appender(out), "{} {}, ", summary.events,
                 summary.events == 1 ? "event" : "events");
  if (summary.events_lost == 0) {
    append(out, "none lost\n");
  } else {
    fmt::format_to(fmt::appender(out), "{} lost\n", summary.events_lost);
    paint.text(out, Style::kWarn, "warning:");
    append(out,
           " hops are missing above where events were lost; a larger --ring-size helps, or a\n"
           "         narrower filter: --peer-ip, --port, --protocol\n");
  }
  if (summary.forgotten == 0) return;
  paint.text(out, Style::kWarn, "warning:");
  fmt::format_to(fmt::appender(out),
                 " {} {} ended early, as unfinished: too many were under way at once; a narrower\n"
                 "         filter helps: --peer-ip, --port, --protocol\n",
                 summary.forgotten, summary.forgotten == 1 ? "packet was" : "packets were");
}

}  // namespace

void append_summary(Buffer& out, const Summary& summary, const Paint& paint) {
  append_packets(out, summary, paint);
  append_drops(out, summary);
  append_events(out, summary, paint);
}

}  // namespace dptrace
