#include "metrics/metrics.hpp"

#include <fmt/format.h>
#include <prometheus/text_serializer.h>

#include <algorithm>

namespace dptrace {

namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

ClientMetric metric(const MetricLabels& labels) {
  ClientMetric metric;
  for (const auto& [name, value] : labels) metric.label.push_back({std::string(name), value});
  return metric;
}

// A double holds integers exactly up to 2^53; as bytes these are eight petabytes.
ClientMetric counter(const MetricLabels& labels, std::uint64_t value) {
  ClientMetric counter = metric(labels);
  counter.counter.value = static_cast<double>(value);
  return counter;
}

ClientMetric gauge(const MetricLabels& labels, double value) {
  ClientMetric gauge = metric(labels);
  gauge.gauge.value = value;
  return gauge;
}

MetricFamily counters(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Counter, {}};
}

MetricFamily gauges(std::string name, std::string help) {
  return {std::move(name), std::move(help), MetricType::Gauge, {}};
}

}  // namespace

void Metrics::set_probes(const ProbeStates& probes) {
  probes_.clear();
  for (const auto& probe : probes) probes_[probe.name] |= probe.attached;
}

void Metrics::update(const DropTable& table, const Names& names) {
  const std::string_view unknown = table.explained ? "unknown" : "";
  for (const auto& row : table.rows) {
    if (!row.is_loss() || row.interval.packets == 0) continue;
    // The packets of an interval keep the cause that is known at its end: no series ever falls.
    const std::string_view cause = row.explanation ? row.explanation->cause : unknown;
    drops_.add(drop_labels(row.kind, names, row.named_at_ns(), cause), row.kind.interface,
               row.interval, table.time_ns);
  }
  if (table.other_interval.packets != 0)
    drops_.add(other_drop_labels(unknown), {}, table.other_interval, table.time_ns);
  for (const auto& loss : table.counters) {
    if (loss.interval != 0)
      counters_.add(counter_labels(loss, names), loss.interface, loss.interval, table.time_ns);
  }
  samples_lost_ = table.samples_lost;
  not_examined_ = table.not_examined;
}

void Metrics::end(const Presence& presence, std::uint64_t now_ns) {
  const auto is_over = [&](const MetricLabels& labels, const auto& series) {
    const auto pod = pod_of_labels(labels);
    if (!pod.empty() && !presence.pods.contains(pod)) return true;
    return !series.has_more_places &&
           std::all_of(series.places.begin(), series.places.end(),
                       [&](InterfaceId place) { return presence.is_over(place); });
  };
  drops_.end(now_ns, is_over);
  counters_.end(now_ns, is_over);
}

std::optional<std::string> Metrics::take_warning() {
  if (has_warned_ || collapses() == 0) return std::nullopt;
  has_warned_ = true;
  return fmt::format(
      "metrics: more than {} kinds of drops within a quarter of an hour: the interface and pod of "
      "further ones are \"other\" (dptrace_series_collapsed_total counts them)",
      kMaxSeries);
}

std::string Metrics::text() const {
  auto packets = counters("dptrace_drop_packets_total", "Packets that the kernel dropped.");
  auto bytes = counters("dptrace_drop_bytes_total", "Bytes of the packets that it dropped.");
  for (const auto& [labels, series] : drops_.all()) {
    packets.metric.push_back(counter(labels, series.count.packets));
    bytes.metric.push_back(counter(labels, series.count.bytes));
  }
  auto kernel = counters("dptrace_kernel_losses_total",
                         "Rises of the kernel's own counters of losses, which may free no packet.");
  for (const auto& [labels, series] : counters_.all())
    kernel.metric.push_back(counter(labels, series.count));
  auto lost = counters("dptrace_events_lost_total",
                       "ring: samples without room, whose drops are counted all the same; kernel: "
                       "drops amid the count of another, which no filter could be asked about.");
  lost.metric.push_back(counter({{"stage", "ring"}}, samples_lost_));
  lost.metric.push_back(counter({{"stage", "kernel"}}, not_examined_));
  auto other = counters("dptrace_series_collapsed_total",
                        "Counts whose interface and pod are \"other\", for want of room.");
  other.metric.push_back(counter({}, collapses()));
  auto attached = gauges("dptrace_probe_attached", "1: this kernel has the probe.");
  for (const auto& [name, is_attached] : probes_)
    attached.metric.push_back(gauge({{"probe", name}}, is_attached ? 1 : 0));
  auto build = gauges("dptrace_build_info", "1, with the version as its label.");
  build.metric.push_back(gauge({{"version", version_}}, 1));
  return prometheus::TextSerializer().Serialize(
      {std::move(packets), std::move(bytes), std::move(kernel), std::move(lost), std::move(other),
       std::move(attached), std::move(build)});
}

}  // namespace dptrace
