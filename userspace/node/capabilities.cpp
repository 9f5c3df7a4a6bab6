#include "node/capabilities.hpp"

#include <fmt/format.h>
#include <linux/capability.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>

namespace dptrace {

namespace {

constexpr const char* kFile = "/proc/self/status";
constexpr std::string_view kField = "CapEff:\t";

}  // namespace

Result<Capabilities> Capabilities::read() {
  std::ifstream file(kFile);
  return parse(std::string(std::istreambuf_iterator<char>(file), {}));
}

Result<Capabilities> Capabilities::parse(std::string_view status) {
  const auto at = status.find(kField);
  if (at != std::string_view::npos) {
    const auto* begin = status.data() + at + kField.size();
    const auto* end = status.data() + status.size();
    std::uint64_t effective = 0;
    if (std::from_chars(begin, end, effective, 16).ec == std::errc()) {
      return Capabilities(effective);
    }
  }
  return failure(fmt::format(
      "reading this process's capabilities: no CapEff in {} (is /proc mounted?)", kFile));
}

const std::vector<Capability>& Capabilities::used() {
  static const std::vector<Capability> used = {
      {CAP_BPF, "CAP_BPF", "loading BPF programs", true},
      {CAP_PERFMON, "CAP_PERFMON", "attaching to tracepoints and kernel functions", true},
      {CAP_NET_ADMIN, "CAP_NET_ADMIN", "attaching to network devices and to sockets", false},
      {CAP_SYS_ADMIN, "CAP_SYS_ADMIN", "looking into the network namespaces of pods", false},
      {CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "finding network namespaces that have no name", false},
      {CAP_SYSLOG, "CAP_SYSLOG", "the names of kernel functions", false},
  };
  return used;
}

bool Capabilities::has(std::uint8_t capability) const {
  if (holds(capability)) return true;
  const bool implied = capability == CAP_BPF || capability == CAP_PERFMON;
  return implied && holds(CAP_SYS_ADMIN);
}

std::vector<Capability> Capabilities::missing() const {
  std::vector<Capability> missing;
  std::copy_if(used().begin(), used().end(), std::back_inserter(missing),
               [&](const Capability& capability) { return !has(capability.number); });
  return missing;
}

std::string Capabilities::missing_names() const {
  std::string names;
  for (const auto& capability : missing()) {
    names += names.empty() ? "" : ", ";
    names += capability.name;
  }
  return names;
}

}  // namespace dptrace
