#include "output/metric_labels.hpp"

#include "output/drop_words.hpp"

namespace dptrace {

namespace {

constexpr const char* kOther = "other";

std::string reason_text(const DropKind& kind, const Names& names) {
  if (!kind.reason) return {};
  const auto name = names.reasons.find(*kind.reason);
  return name != names.reasons.end() ? name->second : std::to_string(*kind.reason);
}

std::string interface_text(InterfaceId id, const Names& names) {
  const Interface* interface = names.interface(id);
  return interface != nullptr ? interface->name : std::string();
}

// The pod that a device is in, or whose other end it is.
std::string pod_of(InterfaceId id, const Names& names) {
  const Interface* interface = names.interface(id);
  for (const std::uint32_t inode : {id.netns, interface != nullptr ? interface->peer_netns : 0}) {
    const auto netns = names.netns.find(inode);
    if (netns != names.netns.end() && !netns->second.pod.empty()) return netns->second.pod;
  }
  return {};
}

std::string pod_of(const DropKind& kind, const Names& names) {
  if (kind.pod) {
    const auto pod = names.pods.find(*kind.pod);
    if (pod != names.pods.end()) return pod->second;
  }
  return pod_of(kind.interface, names);
}

void add_pod(MetricLabels& labels, const std::string& pod) {
  const auto slash = pod.find('/');
  const bool split = slash != std::string::npos;
  labels.emplace_back("namespace", split ? pod.substr(0, slash) : std::string());
  labels.emplace_back("pod", split ? pod.substr(slash + 1) : pod);
}

}  // namespace

MetricLabels drop_labels(const DropKind& kind, const Names& names) {
  MetricLabels labels = {{"reason", reason_text(kind, names)},
                         {"cause", ""},
                         {"interface", interface_text(kind.interface, names)},
                         {"protocol", drop_protocol_name(kind)}};
  add_pod(labels, pod_of(kind, names));
  return labels;
}

MetricLabels other_drop_labels() {
  return {{"reason", kOther},   {"cause", ""},         {"interface", kOther},
          {"protocol", kOther}, {"namespace", kOther}, {"pod", kOther}};
}

MetricLabels counter_labels(const LossCounter& counter, const Names& names) {
  MetricLabels labels = {{"group", counter.group},
                         {"name", counter.name},
                         {"interface", interface_text(counter.interface, names)}};
  add_pod(labels, pod_of(counter.interface, names));
  return labels;
}

MetricLabels collapsed(MetricLabels labels) {
  for (auto& [name, value] : labels) {
    const bool is_number = !value.empty() && value[0] >= '0' && value[0] <= '9';
    if (name == "interface" || name == "namespace" || name == "pod" ||
        (name == "protocol" && is_number)) {
      value = kOther;
    }
  }
  return labels;
}

}  // namespace dptrace
