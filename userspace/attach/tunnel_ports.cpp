#include "attach/tunnel_ports.hpp"

#include <atomic>

#include "dptrace/config.h"

namespace dptrace {

namespace {

// Returns the kind that the programs know without being told (packet.bpf.h).
std::uint8_t usual_kind(std::uint16_t port) {
  if (port == 4789 || port == 8472) return DPT_PORT_VXLAN;
  return port == 6081 ? DPT_PORT_GENEVE : 0;
}

}  // namespace

void TunnelPorts::set(std::uint32_t netns, const std::vector<Link>& links) {
  Kinds now;
  for (const auto& link : links) {
    if (link.vxlan_port != 0) now[link.vxlan_port] |= DPT_PORT_VXLAN;
    if (link.geneve_port != 0) now[link.geneve_port] |= DPT_PORT_GENEVE;
  }
  const auto known = by_netns_.find(netns);
  const Kinds before = known == by_netns_.end() ? Kinds() : known->second;
  if (now == before) return;
  if (now.empty()) {
    by_netns_.erase(netns);
  } else {
    by_netns_[netns] = now;
  }
  for (const auto& [port, kinds] : before) tell(port);
  for (const auto& [port, kinds] : now) tell(port);
  std::uint32_t unusual = 0;
  for (const auto& [other, ports] : by_netns_) {
    for (const auto& [port, kinds] : ports) unusual |= kinds != usual_kind(port) ? 1 : 0;
  }
  std::atomic_ref(*told_).store(unusual, std::memory_order_release);
}

void TunnelPorts::tell(std::uint16_t port) {
  std::uint8_t kinds = 0;
  for (const auto& [netns, ports] : by_netns_) {
    if (const auto found = ports.find(port); found != ports.end()) kinds |= found->second;
  }
  std::atomic_ref(ports_[port]).store(kinds, std::memory_order_relaxed);
}

}  // namespace dptrace
