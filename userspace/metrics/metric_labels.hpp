// Labels tell the series of a metric apart. None is an address or a port: those have no bound.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "drops/drop_table.hpp"
#include "model/names.hpp"

namespace dptrace {

/// Name and value, in the order that they are written in.
using MetricLabels = std::vector<std::pair<std::string_view, std::string>>;

/// reason, cause, interface, protocol, namespace, pod. What is not known is empty; kinds that
/// differ only by location, ICMP type or address have the same.
MetricLabels drop_labels(const DropKind& kind, const Names& names, std::uint64_t at_ns = kLatest);

/// Of the drops whose kinds found no room: `other` for all that a kind would have told.
MetricLabels other_drop_labels();

/// group, name, interface, namespace, pod.
MetricLabels counter_labels(const LossCounter& counter, const Names& names);

/// `namespace/name`; empty: they tell none.
std::string pod_of_labels(const MetricLabels& labels);

/// `other` for the interface, the pod and a protocol without a name: few enough of them remain.
MetricLabels collapsed(MetricLabels labels);

}  // namespace dptrace
