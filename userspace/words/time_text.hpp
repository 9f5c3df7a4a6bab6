// TimeText writes times as text; append_duration() writes durations.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>

#include "words/style.hpp"

namespace dptrace {

/// TimeText writes points of time. It keeps the text of the last second, since most packets share
/// it.
class TimeText {
 public:
  enum class Form : std::uint8_t {
    kLocalTime,  ///< `05:26:00.123456`, local time
    kRfc3339,    ///< `2026-11-21T05:26:00.123456789Z`
  };

  explicit TimeText(Form form) : form_(form) {}

  /// `wall_ns` is nanoseconds since 1970.
  void append_to(Buffer& out, std::int64_t wall_ns);

 private:
  Form form_;
  std::time_t second_ = -1;
  std::array<char, 32> text_{};
  std::size_t length_ = 0;
};

/// `57.3 µs`, `12.35 ms`, `3.000 s`.
void append_duration(Buffer& out, std::uint64_t ns);

}  // namespace dptrace
