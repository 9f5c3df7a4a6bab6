#include <algorithm>

#include "output/drop_output.hpp"
#include "words/time_text.hpp"

namespace dptrace {

namespace {

class DropTextOutput final : public DropOutput {
 public:
  DropTextOutput(Sink& sink, const DropTableStyle& style) : sink_(sink), style_(style) {}

  bool interval(const DropTable& table, const Names& names) override {
    DropTableStyle style = style_;
    style.idle = false;
    const DropTableText text = drop_table_text(table, names, style);
    // No row was counted in the last two intervals, and nothing else in this one, so there is
    // nothing to print.
    const bool counted =
        std::any_of(table.counters.begin(), table.counters.end(),
                    [](const LossCounter& counter) { return counter.interval != 0; });
    if (text.rows.empty() && table.other_interval.packets == 0 && !counted) return true;
    return write(drop_table_lines(table, names, style));
  }

  bool finish(const DropTable& table, const DropSummary& summary, const Names& names) override {
    DropTableStyle style = style_;
    style.causes = true;
    auto lines = drop_table_lines(table, names, style);
    Buffer duration;
    append_duration(duration, summary.duration_ns);
    lines.push_back(fmt::format("{} lost in {}, and {} normal frees (not losses)", summary.dropped,
                                view(duration), summary.packets - summary.dropped));
    return write(lines);
  }

 private:
  bool write(const std::vector<std::string>& lines) {
    std::string block = is_first_ ? "" : "\n";
    is_first_ = false;
    for (const auto& line : lines) {
      block += line;
      block += '\n';
    }
    return sink_.write(block);
  }

  Sink& sink_;
  const DropTableStyle style_;
  bool is_first_ = true;
};

}  // namespace

std::unique_ptr<DropOutput> make_drop_text_output(Sink& sink, const DropTableStyle& style) {
  return std::make_unique<DropTextOutput>(sink, style);
}

}  // namespace dptrace
