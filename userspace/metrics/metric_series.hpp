// Counters by label set, of which there is a bounded number: pods come and go for weeks.
#pragma once

#include <cstdint>
#include <map>
#include <set>

#include "metrics/metric_labels.hpp"
#include "model/interface.hpp"

namespace dptrace {

/// `Count` adds with +=.
template <typename Count>
class MetricSeries {
 public:
  struct Series {
    Count count{};
    std::uint64_t risen_ns = 0;
    bool is_collapsed = false;
    std::set<InterfaceId> places;  ///< where it was counted
    bool has_more_places = false;  ///< than are remembered
  };

  static constexpr std::size_t kPlaces = 16;
  /// A series that has ended is kept for so long: for the scrape that is due.
  static constexpr std::uint64_t kEndAfterNs = 60'000'000'000;

  /// No scrape can have missed the last value of a series that has not risen for so long: intervals
  /// are seconds to a minute, and Prometheus looks back five.
  static constexpr std::uint64_t kForgetAfterNs = 900'000'000'000;

  explicit MetricSeries(std::size_t limit) : limit_(limit) {}

  /// Counts for the series of `labels`, or, when it is new and there is no room, for the collapsed
  /// one. Room is made of series that have not risen for long; should they come again they begin at
  /// 0, which is a restart to Prometheus.
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

  /// Forgets the series for which `is_over(labels, series)`.
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
    if (now_ns == forgot_ns_) return;  // once a reading is enough: it visits them all
    forgot_ns_ = now_ns;
    std::erase_if(series_, [now_ns](const auto& entry) {
      return !entry.second.is_collapsed && now_ns - entry.second.risen_ns > kForgetAfterNs;
    });
  }

  const std::size_t limit_;
  Map series_;
  std::size_t collapsed_ = 0;  // of them: these do not count against the limit
  std::uint64_t collapses_ = 0;
  std::uint64_t forgot_ns_ = 0;
};

}  // namespace dptrace
