// Metrics is the drop-watch as Prometheus reads it: counters that only rise, fed with one table per
// interval.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "capture/probe.hpp"
#include "drops/drop_table.hpp"
#include "metrics/metric_series.hpp"
#include "model/names.hpp"
#include "model/presence.hpp"

namespace dptrace {

class Metrics {
 public:
  /// The most series of a family. Prometheus and its dashboards cope with many more from one
  /// target; a node has about as many kinds as it has pods times the reasons that are seen.
  static constexpr std::size_t kMaxSeries = 2000;

  explicit Metrics(std::string version, std::size_t max_series = kMaxSeries)
      : version_(std::move(version)), drops_(max_series), counters_(max_series) {}

  void set_probes(const ProbeStates& probes);
  /// Adds the interval of a table; to be called once for each table, in order. Rows that are no
  /// loss are left out.
  void update(const DropTable& table, const Names& names);
  /// Ends the series of things that have ended. A series that was counted at several places ends
  /// when all of them have ended.
  void end(const Presence& presence, std::uint64_t now_ns);
  /// The metrics in the text format, version 0.0.4.
  std::string text() const;
  /// A warning that there are too many series, given once.
  std::optional<std::string> take_warning();

 private:
  std::uint64_t collapses() const { return drops_.collapses() + counters_.collapses(); }

  std::string version_;
  std::map<std::string, bool> probes_;  // by name: true when attached
  MetricSeries<DropCount> drops_;
  MetricSeries<std::uint64_t> counters_;
  std::uint64_t samples_lost_ = 0;
  std::uint64_t not_examined_ = 0;
  bool has_warned_ = false;
};

}  // namespace dptrace
