#include "capture/devices.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "dptrace/config.h"

namespace dptrace {

Devices::Devices(std::unique_ptr<Tc> tc, LinkMonitor monitor, std::vector<std::string> patterns,
                 std::uint8_t* covered, bool mark_covered)
    : tc_(std::move(tc)),
      monitor_(std::move(monitor)),
      patterns_(std::move(patterns)),
      covered_(covered),
      mark_covered_(mark_covered) {}

Result<std::unique_ptr<Devices>> Devices::start(std::unique_ptr<Tc> tc,
                                                std::vector<std::string> patterns,
                                                std::uint8_t* covered, bool mark_covered) {
  // Listening begins before the first look, so that nothing is missed in between.
  auto monitor = LinkMonitor::start();
  if (!monitor) return tl::unexpected(monitor.error());
  std::unique_ptr<Devices> devices(
      new Devices(std::move(tc), std::move(*monitor), std::move(patterns), covered, mark_covered));
  if (auto reconciled = devices->reconcile(); !reconciled)
    return tl::unexpected(reconciled.error());
  for (const auto& pattern : devices->patterns_) {
    const bool is_plain = pattern.find_first_of("*?[") == std::string::npos;
    const auto& links = devices->topology_.links;
    const bool is_there = std::any_of(links.begin(), links.end(),
                                      [&](const Link& link) { return link.name == pattern; });
    if (is_plain && !is_there) {
      return failure(fmt::format(
          "no interface {} in this network namespace (`ip link` lists them; a pattern such as "
          "'veth*' also takes those to come)",
          pattern));
    }
  }
  return devices;
}

void Devices::follow() {
  // What changed matters little: one look at everything is cheap and cannot drift.
  bool changed = false;
  changed |= !monitor_.drain([&](const LinkChange&) { changed = true; });
  if (!changed) return;
  if (const auto reconciled = reconcile(); !reconciled)
    warnings_.push_back(reconciled.error().message);
}

bool Devices::is_wanted(const Link& link) const {
  if (patterns_.empty()) return is_datapath_device(link, topology_);
  return std::any_of(patterns_.begin(), patterns_.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), link.name.c_str(), 0) == 0;
  });
}

void Devices::set_covered(std::uint32_t ifindex, bool value) {
  if (mark_covered_ && ifindex < DPT_MAX_IFINDEX) covered_[ifindex] = value ? 1 : 0;
}

Result<> Devices::reconcile() {
  auto topology = read_topology();
  if (!topology) return tl::unexpected(topology.error());
  topology_ = std::move(*topology);
  std::set<std::uint32_t> wanted;
  for (const auto& link : topology_.links) {
    if (!is_wanted(link)) continue;
    wanted.insert(link.index);
    if (attached_.contains(link.index) || refused_.contains(link.index)) continue;
    if (const auto result = tc_->attach(link.index, link.arp_type); result) {
      attached_.insert(link.index);
      set_covered(link.index, true);
    } else {
      refused_.insert(link.index);
      warnings_.push_back(
          fmt::format("{} is seen by tracepoints only: {}", link.name, result.error().message));
    }
  }
  for (auto index = attached_.begin(); index != attached_.end();) {
    if (wanted.contains(*index)) {
      ++index;
      continue;
    }
    set_covered(*index, false);
    tc_->detach(*index);
    index = attached_.erase(index);
  }
  std::erase_if(refused_, [&](std::uint32_t index) { return !wanted.contains(index); });
  return {};
}

}  // namespace dptrace
