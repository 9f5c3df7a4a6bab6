// Labels tell the series of a metric apart. No label is an address or a port, because these have no
// bound.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

/// Names and values, in the order in which they are written.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

/// The labels of a kind: reason, cause, interface, protocol, namespace, pod. A label is empty when
/// its value is not known. Kinds that differ only by location, ICMP type or address have the same
/// labels.
MetricLabels drop_labels(const DropKind& kind, const Names& names, std::uint64_t at_ns = kLatest,
                         std::string_view cause = {});

/// The labels of drops whose kinds found no room: `other` for everything that a kind would have
/// told but the cause.
MetricLabels other_drop_labels(std::string_view cause = {});

/// The labels of a counter: group, name, interface, namespace, pod.
MetricLabels counter_labels(const LossCounter& counter, const Names& names);

/// The pod that labels tell, `namespace/name`; empty when they tell none.
std::string pod_of_labels(const MetricLabels& labels);

/// The labels with `other` for the interface, the pod and a protocol without a name. Few enough
/// sets of labels remain.
MetricLabels collapsed(MetricLabels labels);

}  // namespace dptrace
