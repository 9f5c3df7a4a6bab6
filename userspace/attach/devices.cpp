#include "attach/devices.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>

#include "dptrace/config.h"
#include "node/doorbells.hpp"
#include "node/netns.hpp"

namespace dptrace {

namespace {

// The device may have gone since it was listed.
bool is_there(const Link& link) {
  std::array<char, IF_NAMESIZE> name{};
  return if_indextoname(link.index, name.data()) != nullptr;
}

// The kernel makes no call of its own when one of these receives: no tracepoint tells it.
bool is_stacked(const Link& link) {
  constexpr std::array<std::string_view, 6> kStacked = {"vlan",   "bond",    "team",
                                                        "macsec", "macvlan", "ipvlan"};
  return std::find(kStacked.begin(), kStacked.end(), link.kind) != kStacked.end();
}

// Devices with queues and tunnels come first; then those where pods meet.
int rank(const Link& link, Role role) {
  if (role == Role::kUplink) return 0;
  if (role == Role::kOverlay) return 1;
  const bool own_port = role == Role::kOther && link.kind == "openvswitch";
  return own_port || (role == Role::kBridge && link.kind == "bridge") ? 2 : 3;
}

// Stacked devices come first, since nothing else tells of them; then the first of each rank, then
// the second of each, and so on.
void put_in_turn(std::vector<const Link*>& links, const NetnsTopology& topology) {
  const auto roles_of = roles(topology);
  std::sort(links.begin(), links.end(),
            [](const Link* a, const Link* b) { return a->index < b->index; });
  std::array<int, 4> before{};
  std::map<const Link*, std::pair<int, int>> turn;
  for (const Link* link : links) {
    const int own = rank(*link, roles_of.at(link->index));
    turn[link] = is_stacked(*link) ? std::pair(-1, 0)
                                   : std::pair(before[static_cast<std::size_t>(own)]++, own);
  }
  std::stable_sort(links.begin(), links.end(),
                   [&](const Link* a, const Link* b) { return turn[a] < turn[b]; });
}

}  // namespace

Devices::Devices(std::unique_ptr<Tc> tc, LinkMonitor monitor, DeviceSettings settings,
                 HomeDevices home, TunnelPorts& tunnel_ports)
    : tc_(std::move(tc)),
      monitor_(std::move(monitor)),
      settings_(std::move(settings)),
      home_(home),
      tunnel_ports_(tunnel_ports),
      home_netns_(current_netns()) {}

Result<std::unique_ptr<Devices>> Devices::start(std::unique_ptr<Tc> tc, DeviceSettings settings,
                                                HomeDevices home, TunnelPorts& tunnel_ports) {
  // Listening begins before the first look, so that nothing is missed in between.
  auto monitor = LinkMonitor::start(true);
  if (!monitor) return tl::unexpected(monitor.error());
  std::unique_ptr<Devices> devices(
      new Devices(std::move(tc), std::move(*monitor), std::move(settings), home, tunnel_ports));
  if (auto reconciled = devices->reconcile(); !reconciled)
    return tl::unexpected(reconciled.error());
  if (auto known = devices->names_are_known(); !known) return tl::unexpected(known.error());
  return devices;
}

Result<> Devices::names_are_known() const {
  for (const auto& pattern : settings_.patterns) {
    const bool is_plain = pattern.find_first_of("*?[") == std::string::npos;
    const auto& links = topology_.links;
    const bool is_there = std::any_of(links.begin(), links.end(),
                                      [&](const Link& link) { return link.name == pattern; });
    if (is_plain && !is_there) {
      return failure(fmt::format(
          "no interface {} in this network namespace (`ip link` lists them; a pattern such as "
          "'veth*' also takes those to come)",
          pattern));
    }
  }
  return {};
}

bool Devices::follow() {
  // All devices are read anew, whatever has changed: that is cheap, and what is known cannot drift.
  bool changed = false;
  std::set<std::uint32_t> suspects;
  changed |= !monitor_.drain([&](const LinkChange& change) {
    if (change.tc_only) {
      suspects.insert(change.link.index);
      return;
    }
    changed = true;
    // A new device may have its number already.
    if (change.gone) forget(change.link.index);
  });
  for (const auto index : suspects) check(index);
  if (!changed) return false;
  if (const auto reconciled = reconcile(); !reconciled)
    warnings_.push_back(reconciled.error().message);
  return true;
}

void Devices::attach_chosen() {
  doorbells_.clear();
  is_choosing_ = true;
  if (const auto reconciled = reconcile(); !reconciled)
    warnings_.push_back(reconciled.error().message);
}

std::set<std::uint32_t> Devices::find_doorbells(const std::vector<Address>& pods) const {
  // A user who names devices wants programs on no others.
  if (!tc_ || !settings_.by_tcx || !settings_.patterns.empty()) return {};
  const auto& links = topology_.links;
  const auto netns = find_pod_netns(links, pods);
  if (!netns) return {};
  auto found = doorbells(links, *netns, pods);
  return found.size() <= kMost ? found : std::set<std::uint32_t>();
}

bool Devices::attach_doorbells(const std::vector<Address>& pods) {
  is_choosing_ = false;
  doorbells_ = find_doorbells(pods);
  for (const auto index : std::set(attached_)) {
    if (!doorbells_.contains(index)) forget(index);
  }
  for (const auto index : doorbells_) {
    if (attached_.contains(index) || cover(*topology_.link(index))) attached_.insert(index);
  }
  if (!doorbells_.empty() && !has_lost_doorbell()) return true;
  doorbells_.clear();
  for (const auto index : std::set(attached_)) forget(index);
  return false;
}

bool Devices::is_wanted(const Link& link) const {
  const auto& patterns = settings_.patterns;
  if (patterns.empty()) return is_datapath_device(link, topology_);
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return fnmatch(pattern.c_str(), link.name.c_str(), 0) == 0;
  });
}

bool Devices::set_home(std::uint32_t ifindex, std::uint32_t flag, bool value) {
  const auto flags = home_.flags(ifindex);
  return home_.set(ifindex, value ? flags | flag : flags & ~flag);
}

void Devices::set_uplinks() {
  std::set<std::uint32_t> uplinks;
  for (const auto& [ifindex, role] : roles(topology_)) {
    if (role == Role::kUplink) uplinks.insert(ifindex);
  }
  for (const auto ifindex : uplinks_) {
    if (!uplinks.contains(ifindex)) set_home(ifindex, DPT_HOME_UPLINK, false);
  }
  for (const auto ifindex : uplinks) set_home(ifindex, DPT_HOME_UPLINK, true);
  uplinks_ = std::move(uplinks);
}

// A crossing is told once: by the tc programs, or by tracepoints where these cannot be told of the
// tc programs.
Result<> Devices::cover(const Link& link) {
  auto attached = tc_->attach(link.index, link.has_link_header());
  if (!attached || !settings_.mark_covered || set_home(link.index, DPT_HOME_COVERED, true))
    return attached;
  tc_->detach(link.index);
  return failure("too many devices have numbers like its own");
}

void Devices::forget(std::uint32_t ifindex) {
  refused_.erase(ifindex);
  if (attached_.erase(ifindex) == 0) return;
  set_home(ifindex, DPT_HOME_COVERED, false);
  tc_->detach(ifindex);
}

void Devices::check(std::uint32_t ifindex) {
  if (!attached_.contains(ifindex)) return;
  const auto wrong = tc_->what_is_wrong(ifindex);
  if (wrong.empty()) return;
  forget(ifindex);
  const Link* link = topology_.link(ifindex);
  // When a device goes, its filters go with it: nobody else took them away.
  if (link == nullptr || !is_there(*link)) return;
  // The device gets no programs again: they might be in the way of somebody else's filters.
  refuse(*link, wrong);
}

void Devices::refuse(const Link& link, const std::string& why) {
  refused_.insert(link.index);
  if (first_refusal_.empty()) first_refusal_ = why;
  warnings_.push_back(fmt::format("{} is seen by tracepoints only: {}", link.name, why));
}

void Devices::attach(const Link& link) {
  const auto result = cover(link);
  if (result) {
    attached_.insert(link.index);
    return;
  }
  if (is_there(link)) refuse(link, result.error().message);
}

void Devices::attach_some(const std::vector<const Link*>& wanted) {
  const std::size_t most = settings_.alone ? wanted.size() : kMost;
  // To look must not cost the node a packet, unless that is asked for.
  const bool asked_for = settings_.alone || !settings_.patterns.empty();
  const auto undisturbed = asked_for ? std::nullopt : tc_->undisturbed();
  auto links = wanted;
  put_in_turn(links, topology_);
  std::set<std::uint32_t> chosen;
  for (const Link* link : links) {
    if (chosen.size() >= most) break;
    const bool is_new = !attached_.contains(link->index) && !refused_.contains(link->index);
    if (is_new && (!undisturbed || undisturbed->contains(link->index))) attach(*link);
    if (attached_.contains(link->index)) chosen.insert(link->index);
  }
  for (const auto index : std::set(attached_)) {
    if (!chosen.contains(index)) forget(index);
  }
}

Result<> Devices::reconcile() {
  auto topology = read_topology();
  if (!topology) return tl::unexpected(topology.error());
  topology_ = std::move(*topology);
  set_uplinks();
  tunnel_ports_.set(home_netns_, topology_.links);
  std::set<std::uint32_t> wanted;
  std::vector<const Link*> links;
  for (const auto& link : topology_.links) {
    if (!is_wanted(link)) continue;
    wanted.insert(link.index);
    links.push_back(&link);
  }
  wanted_ = wanted.size();
  if (tc_ && is_choosing_) attach_some(links);
  std::erase_if(refused_, [&](std::uint32_t index) { return !wanted.contains(index); });
  return {};
}

}  // namespace dptrace
