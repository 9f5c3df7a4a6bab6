#include "words/time_text.hpp"

namespace dptrace {

namespace {
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
}

void TimeText::append_to(Buffer& out, std::int64_t wall_ns) {
  std::int64_t fraction = wall_ns % kNanosecondsPerSecond;
  if (fraction < 0) fraction += kNanosecondsPerSecond;
  const std::time_t second = (wall_ns - fraction) / kNanosecondsPerSecond;
  if (second != second_ || length_ == 0) {
    std::tm fields{};
    const bool local = form_ == Form::kLocalTime;
    local ? localtime_r(&second, &fields) : gmtime_r(&second, &fields);
    length_ = std::strftime(text_.data(), text_.size(), local ? "%H:%M:%S." : "%Y-%m-%dT%H:%M:%S.",
                            &fields);
    second_ = second;
  }
  append(out, {text_.data(), length_});
  if (form_ == Form::kLocalTime) {
    fmt::format_to(fmt::appender(out), "{:06}", fraction / 1000);
  } else {
    fmt::format_to(fmt::appender(out), "{:09}Z", fraction);
  }
}

void append_duration(Buffer& out, std::uint64_t ns) {
  const auto value = static_cast<double>(ns);
  if (ns < 10'000'000) {
    fmt::format_to(fmt::appender(out), "{:.1f} µs", value / 1e3);
  } else if (ns < 1'000'000'000) {
    fmt::format_to(fmt::appender(out), "{:.1f} ms", value / 1e6);
  } else {
    fmt::format_to(fmt::appender(out), "{:.3f} s", value / 1e9);
  }
}

}  // namespace dptrace
