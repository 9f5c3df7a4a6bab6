// MetricSeries has counters by label set. The number of sets is bounded, because pods come and go
// for weeks.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "metrics/metric_labels.hpp"
#include "model/interface.hpp"

namespace dptrace {

/// `Count` is added with +=.
template <typename Count>
class MetricSeries {
 public:
  struct Series {
    Count count{};
    std::uint64_t risen_ns = 0;
    bool is_collapsed = false;
    std::set<InterfaceId> places;  ///< places where it was counted
    bool has_more_places = false;  ///< there were more than kPlaces
  };

  static constexpr std::size_t kPlaces = 16;
  /// A series that has ended is kept this long after its last rise, for the scrape that is due.
  static constexpr std::uint64_t kEndAfterNs = 60'000'000'000;

  /// A series that has not risen for this long may be forgotten, as no scrape can have missed its
  /// last value: intervals are seconds to a minute, and Prometheus looks back five minutes.
  static constexpr std::uint64_t kForgetAfterNs = 900'000'000'000;

  explicit MetricSeries(std::size_t limit) : limit_(limit) {}

  /// Adds to the series of `labels` or, when that is new and there is no room, to the collapsed
  /// one. Room is made by forgetting series that have not risen for long. Such a series begins at 0
  /// when it comes again, which Prometheus takes for a restart.
  void add(const MetricLabels& labels, InterfaceId place, const Count& count,
           std::uint64_t now_ns) {
    auto found = series_.find(labels);
    if (found == series_.end()) {
      if (!has_room()) forget(now_ns);
      found = has_room() ? series_.try_emplace(labels).first : collapse(labels);
    }
    found->second.count += count;
    found->second.risen_ns = now_ns;
    auto& places = found->second.places;
    if (places.size() < kPlaces) {
      places.insert(place);
    } else if (!places.contains(place)) {
      found->second.has_more_places = true;
    }
  }

  /// Forgets the series that have ended: those for which `is_over(labels, series)` is true.
  template <typename IsOver>
  void end(std::uint64_t now_ns, IsOver is_over) {
    std::erase_if(series_, [&](const auto& entry) {
      const auto& [labels, series] = entry;
      return !series.is_collapsed && now_ns - series.risen_ns >= kEndAfterNs &&
             is_over(labels, series);
    });
  }

  const std::map<MetricLabels, Series>& all() const { return series_; }
  /// Counts how often something was added to a collapsed series instead of its own.
  std::uint64_t collapses() const { return collapses_; }

 private:
  using Map = std::map<MetricLabels, Series>;

  bool has_room() const { return series_.size() - collapsed_ < limit_; }

  typename Map::iterator collapse(const MetricLabels& labels) {
    ++collapses_;
    const auto [place, is_new] = series_.try_emplace(collapsed(labels));
    if (is_new) {
      ++collapsed_;
      place->second.is_collapsed = true;
    }
    return place;
  }

  void forget(std::uint64_t now_ns) {
    if (now_ns == forgot_ns_)
      return;  // once for each reading is enough, because it visits all series
    forgot_ns_ = now_ns;
    std::erase_if(series_, [now_ns](const auto& entry) {
      return !entry.second.is_collapsed && now_ns - entry.second.risen_ns > kForgetAfterNs;
    });
  }

  const std::size_t limit_;
  Map series_;
  std::size_t collapsed_ = 0;  // number of collapsed series, which do not count against the limit
  std::uint64_t collapses_ = 0;
  std::uint64_t forgot_ns_ = 0;
};

}  // namespace dptrace
