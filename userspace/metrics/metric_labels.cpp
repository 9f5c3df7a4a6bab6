#include "metrics/metric_labels.hpp"

#include "words/drop_words.hpp"

namespace dptrace {

namespace {

constexpr const char* kOther = "other";

std::string reason_text(const DropKind& kind, const Names& names) {
  if (kind.folded) return kOther;
  if (!kind.reason) return {};
  const auto name = names.reasons.find(*kind.reason);
  return name != names.reasons.end() ? name->second : std::to_string(*kind.reason);
}

std::string interface_text(InterfaceId id, const Names& names, std::uint64_t at_ns) {
  const Interface* interface = names.interface(id, at_ns);
  return interface != nullptr ? interface->name : std::string();
}

std::string pod_of(const DropKind& kind, const Names& names, std::uint64_t at_ns) {
  if (kind.pod) {
    const auto pod = names.pod_of_address(*kind.pod, at_ns);
    if (!pod.empty()) return std::string(pod);
  }
  return std::string(names.pod_of(kind.interface, at_ns));
}

void add_pod(MetricLabels& labels, const std::string& pod) {
  const auto slash = pod.find('/');
  const bool split = slash != std::string::npos;
  labels.emplace_back("namespace", split ? pod.substr(0, slash) : std::string());
  labels.emplace_back("pod", split ? pod.substr(slash + 1) : pod);
}

}  // namespace

MetricLabels drop_labels(const DropKind& kind, const Names& names, std::uint64_t at_ns,
                         std::string_view cause) {
  MetricLabels labels = {{"reason", reason_text(kind, names)},
                         {"cause", std::string(cause)},
                         {"interface", interface_text(kind.interface, names, at_ns)},
                         {"protocol", kind.folded ? kOther : drop_protocol_name(kind)}};
  add_pod(labels, pod_of(kind, names, at_ns));
  return labels;
}

MetricLabels other_drop_labels(std::string_view cause) {
  return {{"reason", kOther},   {"cause", std::string(cause)}, {"interface", kOther},
          {"protocol", kOther}, {"namespace", kOther},         {"pod", kOther}};
}

MetricLabels counter_labels(const LossCounter& counter, const Names& names) {
  MetricLabels labels = {{"group", counter.group},
                         {"name", counter.name},
                         {"interface", interface_text(counter.interface, names, kLatest)}};
  add_pod(labels, std::string(names.pod_of(counter.interface, kLatest)));
  return labels;
}

std::string pod_of_labels(const MetricLabels& labels) {
  std::string name_space;
  std::string pod;
  for (const auto& [name, value] : labels) {
    if (name == "namespace") name_space = value;
    if (name == "pod") pod = value;
  }
  return name_space.empty() || pod.empty() || pod == kOther ? std::string()
                                                            : name_space + "/" + pod;
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
