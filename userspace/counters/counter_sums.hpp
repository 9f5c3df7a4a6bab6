// CounterSums tells by how much the counters of one network namespace have risen since the watch
// began.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "counters/counter_reading.hpp"
#include "model/loss_counter.hpp"

namespace dptrace {

class CounterSums {
 public:
  /// `created_later` says that the netns came into being after the watch began, so that its
  /// counters began at 0. Otherwise the counters begin with what is read first.
  explicit CounterSums(bool created_later) : created_later_(created_later) {}

  /// Begins a new interval, in which nothing has risen yet.
  void begin_interval();
  /// Takes all that `source` tells now. A counter that is new to a source which was read before
  /// counts from 0 (its device was created meanwhile), and so does a counter that has gone back.
  void take(CounterSource source, std::span<const CounterReading> readings);

  /// Appends the counters that have risen since the watch began.
  void append_to(std::vector<LossCounter>& counters, std::uint32_t netns) const;

 private:
  // A counter that is 0 needs no row: one without a row counts from 0.
  struct Row {
    CounterSource source;
    CounterReading last;
    std::uint64_t total = 0;
    std::uint64_t interval = 0;
    unsigned missed = 0;  ///< the last reads that did not tell of the counter
  };

  bool created_later_;
  unsigned known_sources_ = 0;  ///< a bit for each source that was read
  std::vector<Row> rows_;       ///< sorted by source and key
};

}  // namespace dptrace
