// By how much the counters of one network namespace have risen since the watch began.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "counters/counter_reading.hpp"
#include "model/loss_counter.hpp"

namespace dptrace {

class CounterSums {
 public:
  /// `created_later`: the netns came into being after the watch began, so that its counters began
  /// at 0. Else what is read first is where they began.
  explicit CounterSums(bool created_later) : created_later_(created_later) {}

  /// A new interval: nothing has risen in it yet.
  void begin_interval();
  /// All that `source` tells now. A counter that is new to a source that was read before counts
  /// from 0 (its device was created meanwhile), and so does one that has gone back.
  void take(CounterSource source, std::span<const CounterReading> readings);

  /// Appends those that have risen since the watch began.
  void append_to(std::vector<LossCounter>& counters, std::uint32_t netns) const;

 private:
  // Counters that are 0 need none: one that is not known counts from 0.
  struct Row {
    CounterSource source;
    CounterReading last;
    std::uint64_t total = 0;
    std::uint64_t interval = 0;
    unsigned missed = 0;  ///< reads that did not tell of it
  };

  bool created_later_;
  unsigned known_sources_ = 0;  ///< bits
  std::vector<Row> rows_;       ///< by source and key
};

}  // namespace dptrace
