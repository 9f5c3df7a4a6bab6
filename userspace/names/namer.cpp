#include "names/namer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "model/foreign.hpp"
#include "node/in_netns.hpp"
#include "node/roles.hpp"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// A netns is not asked for its devices again before this time has passed.
constexpr std::chrono::seconds kPause{1};

constexpr std::uint32_t kLoopbackIndex = 1;

// kMostOfOthers bounds the links, addresses and routes (each) that are read in another netns.
// kKeptOfStrangers bounds the devices that are kept of a stranger's netns.
constexpr std::size_t kMostOfOthers = 4096;
constexpr std::size_t kKeptOfStrangers = 64;
constexpr std::size_t kMostPostponed = 4096;

std::string kind_of(const dpt_device& device) {
  constexpr std::uint16_t kArphrdLoopback = 772;
  if (device.kind[0] != '\0') return clean_name(device.kind);
  return device.type == kArphrdLoopback ? "loopback" : "device";
}

// The offset is that of this moment: a clock that was set between an event and this call is not
// corrected for.
std::int64_t realtime_ahead_ns() { return clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC); }

std::uint64_t to_monotonic(std::int64_t realtime_ns) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, realtime_ns - realtime_ahead_ns()));
}

std::int64_t to_realtime(std::uint64_t monotonic_ns) {
  return static_cast<std::int64_t>(monotonic_ns) + realtime_ahead_ns();
}

// No packet waits longer than this for its end, so names that ended before are not needed.
constexpr std::uint64_t kFormerNs = 300'000'000'000;

}  // namespace

Namer::Namer(Names& names, Symbols symbols)
    : names_(names),
      symbols_(std::move(symbols)),
      rules_(names, [this](const RuleBook::Table& table) { return begin_reading(table); }),
      start_ns_(monotonic_ns()) {}

Result<Inquiry<Result<Rules>>> Namer::begin_reading(const RuleBook::Table& table) {
  auto read = [table] { return read_table(table); };
  if (table.netns == names_.home_netns) return Inquiry<Result<Rules>>::begin(std::move(read));
  auto netns = netns_finder_.open(table.netns);
  if (!netns) return tl::unexpected(netns.error());
  return Inquiry<Result<Rules>>::begin(entering(std::move(*netns), std::move(read)));
}

void Namer::see(const Event& event) {
  if (const auto* device = std::get_if<dpt_device>(&event)) {
    see_device(*device);
  } else if (const auto* hop = std::get_if<dpt_hop>(&event)) {
    see_place({hop->netns, hop->ifindex});
  } else if (const auto* drop = std::get_if<dpt_drop>(&event)) {
    see_place({drop->hop.netns, drop->hop.ifindex});
    name_address(drop->location);
    for (std::size_t i = 0; i < drop->stack_depth; ++i) name_address(drop->stack[i]);
  } else if (const auto* end = std::get_if<dpt_end>(&event)) {
    if (end->location != 0) name_address(end->location);
  } else if (const auto* netfilter = std::get_if<dpt_netfilter>(&event)) {
    see_place({netfilter->hop.netns, netfilter->hop.ifindex});
    // The hook's address is that of the function itself, not one behind a call.
    if (netfilter->function != 0) name_address(netfilter->function, 1);
  } else if (const auto* rule = std::get_if<dpt_rule>(&event)) {
    rules_.see(*rule);
  }
}

void Namer::name_address(std::uint64_t address, std::uint64_t ahead) {
  if (names_.symbols.contains(address)) return;
  if (const auto symbol = symbols_.find(address + ahead))
    names_.symbols.emplace(address, Symbol{clean_name(symbol->name), symbol->start});
}

void Namer::see(std::uint64_t location, InterfaceId interface) {
  name_address(location);
  see_place(interface);
}

void Namer::see(InterfaceId place) {
  see_place(place);
  if (place.index == 0 && !names_.netns.contains(place.netns)) name_netns(place.netns);
}

void Namer::keep(const std::set<InterfaceId>& interfaces, const std::set<Address>& pods) {
  std::set<std::uint32_t> netns = {names_.home_netns};
  for (const auto& id : interfaces) {
    netns.insert(id.netns);
    if (const auto* interface = names_.interface(id)) netns.insert(interface->peer_netns);
  }
  std::erase_if(names_.interfaces,
                [&](const auto& entry) { return !interfaces.contains(entry.first); });
  std::erase_if(names_.netns, [&](const auto& entry) { return !netns.contains(entry.first); });
  std::erase_if(names_.pods, [&](const auto& entry) {
    return !pods.contains(entry.first) && !pods_.addresses().contains(entry.first);
  });
  // A namespace that was forgotten may be met again at once, and must then be described again.
  described_.clear();
  forget_former();
}

void Namer::forget_former() {
  std::erase_if(made_, [&](const auto& entry) { return !names_.netns.contains(entry.first); });
  std::erase_if(wired_, [&](auto inode) { return !names_.netns.contains(inode); });
  const auto now_ns = monotonic_ns();
  const auto is_recent = [&](const auto&, std::uint64_t until_ns) {
    return until_ns + kFormerNs > now_ns;
  };
  names_.former_netns.keep(is_recent);
  names_.former_pods.keep(is_recent);
}

void Namer::forget_gone() {
  const auto home = read_topology();
  const auto& netns = netns_finder_.find_all();
  Gone gone;
  for (const auto& [id, interface] : names_.interfaces) {
    if (is_gone(id, home ? &*home : nullptr, netns)) gone.interfaces.insert(id);
  }
  for (const auto& [inode, name] : names_.netns) {
    if (inode != names_.home_netns && !netns.contains(inode)) gone.netns.insert(inode);
  }
  for (const auto& [address, pod] : names_.pods) {
    if (!pods_.addresses().contains(address)) gone.pods.insert(address);
  }
  for (const auto& id : gone.interfaces) {
    if (gone_.interfaces.contains(id)) names_.interfaces.erase(id);
  }
  for (const auto inode : gone.netns) {
    if (gone_.netns.contains(inode)) names_.netns.erase(inode);
  }
  for (const auto& address : gone.pods) {
    if (gone_.pods.contains(address)) names_.pods.erase(address);
  }
  gone_ = std::move(gone);
  described_.clear();
  forget_former();
}

Presence Namer::presence() {
  Presence presence;
  if (const auto links = read_links()) {
    presence.home_netns = names_.home_netns;
    for (const auto& link : *links) presence.home_devices.insert(link.index);
  }
  for (const auto& [inode, place] : netns_finder_.find_all()) presence.netns.insert(inode);
  presence.has_all_netns = netns_of_file("/proc/1/ns/net") != 0;
  for (const auto& [address, pod] : pods_.addresses()) presence.pods.insert(pod);
  for (const auto& [inode, pod] : pods_.netns()) presence.pods.insert(pod);
  return presence;
}

std::set<std::uint32_t> Namer::trusted_netns() const {
  std::set<std::uint32_t> trusted = {names_.home_netns};
  for (const auto& [inode, pod] : pods_.netns()) trusted.insert(inode);
  for (const auto& [inode, place] : netns_finder_.found()) {
    if (!place.name.empty()) trusted.insert(inode);
  }
  return trusted;
}

// A device of another namespace goes with its namespace: these have few devices.
bool Namer::is_gone(InterfaceId id, const NetnsTopology* home,
                    const std::map<std::uint32_t, NetnsPlace>& netns) const {
  if (id.netns != names_.home_netns) return !netns.contains(id.netns);
  return home != nullptr && home->link(id.index) == nullptr;
}

void Namer::see_place(InterfaceId id) {
  if (id.index == 0 || id.netns == 0 || names_.interfaces.contains(id)) return;
  describe(id.netns, id.index);
  // Index 1 is the loopback device in every netns, also in one that cannot be entered.
  if (id.index == kLoopbackIndex && !names_.interfaces.contains(id))
    names_.interfaces[id] = {id, "lo", "loopback", Role::kLoopback};
}

void Namer::see_device(const dpt_device& device) {
  const InterfaceId id{device.netns, device.ifindex};
  name_netns(
      device.netns);  // before `interfaces`: the number may be of another netns than the known one
  auto& interface = names_.interfaces[id];
  // The record is the kernel's own, and good also for a device that went before it could be asked
  // for.
  interface.id = id;
  interface.name = clean_name(device.name);
  interface.kind = kind_of(device);
  interface.mtu = device.mtu;
  described_.erase(device.netns);
  describe(device.netns, device.ifindex);
}

// Only root gives names to network namespaces. A netns that has no name and is no pod's may have
// been made by anybody.
bool Namer::is_strangers(std::uint32_t netns) {
  if (netns == names_.home_netns) return false;
  const auto known = names_.netns.find(netns);
  return known == names_.netns.end() || (known->second.name.empty() && known->second.pod.empty());
}

void Namer::describe(std::uint32_t netns, std::uint32_t wanted) {
  const auto now = std::chrono::steady_clock::now();
  const auto [entry, is_first] = described_.try_emplace(netns, now);
  if (!is_first && now - entry->second < kPause) return;
  entry->second = now;

  name_netns(netns);
  described_[netns] = now;
  const bool is_home = netns == names_.home_netns;
  const bool strange = is_strangers(netns);
  const int most = strange ? NetnsVisit::kMostOfStrangers : NetnsVisit::kMost;
  if (!is_home && (NetnsVisit::under_way() >= most || !time_.allows(netns, strange, now))) {
    postponed_[netns].insert(wanted);
    return;
  }
  const auto patience = strange ? NamingTime::kWaitForStrangers : NamingTime::kWait;
  const auto topology =
      is_home ? read_topology() : describe_netns(netns_finder_, netns, kMostOfOthers, patience);
  if (topology) {
    take_topology(netns, *topology, wanted);
  } else if (std::chrono::steady_clock::now() - now >= patience) {
    postponed_[netns].insert(wanted);
  }
  if (!is_home) time_.took(netns, strange, now, std::chrono::steady_clock::now());
}

void Namer::take_topology(std::uint32_t netns, const NetnsTopology& topology,
                          std::uint32_t wanted) {
  on_links_(netns, topology.links);
  netns_finder_.follow_names();  // numbers of peers are used again as well
  names_.netns[netns].is_node = is_node_like(topology);
  wired_.insert(netns);
  const bool strange = is_strangers(netns);
  std::size_t kept = 0;
  const auto described = interfaces(netns, topology);
  for (std::size_t i = 0; i < described.size(); ++i) {
    Interface interface = described[i];
    const Link& link = topology.links[i];
    // A stranger may make as many devices as it likes; those that no event has met are not needed.
    if (strange && interface.id.index != wanted && !names_.interfaces.contains(interface.id) &&
        ++kept > kKeptOfStrangers)
      continue;
    if (link.peer_elsewhere) find_peer(interface, link);
    names_.interfaces[interface.id] = std::move(interface);
  }
}

// Describes the namespaces that had to wait, as long as there is time. A namespace that is asked
// for again meanwhile is described before its turn.
void Namer::describe_postponed() {
  const auto now = std::chrono::steady_clock::now();
  time_.forget(now);
  if (postponed_.size() > kMostPostponed) postponed_.clear();
  for (auto waiting = postponed_.begin(); waiting != postponed_.end();) {
    const auto netns = waiting->first;
    if (!time_.allows(netns, is_strangers(netns), std::chrono::steady_clock::now())) {
      ++waiting;
      continue;
    }
    const auto wanted = std::move(waiting->second);
    waiting = postponed_.erase(waiting);
    described_.erase(netns);
    // Describing a netns serves all its devices, except for those beyond what is kept.
    describe(netns, *wanted.begin());
  }
}

void Namer::describe_all() {
  describe(names_.home_netns);
  for (const auto& [netns, place] : std::map(netns_finder_.find_all())) describe(netns);
  described_.clear();
}

void Namer::links_changed() { described_.erase(names_.home_netns); }

// A veth that leads to another node, or to a netns that is wired like a node's, does not lead to a
// pod.
void Namer::find_peer(Interface& interface, const Link& link) {
  const std::uint32_t peer = netns_finder_.find_nsid(interface.id.netns, link.peer_nsid);
  if (peer == 0) return;
  interface.peer_netns = peer;
  name_netns(peer);
  // A pod's own end of its veth keeps the role of a pod's.
  if (interface.role != Role::kPod || !names_.netns[interface.id.netns].is_node) return;
  if (!names_.netns[peer].pod.empty()) return;
  if (!wired_.contains(peer)) describe(peer);
  if (names_.netns[peer].is_node) interface.role = Role::kOther;
}

// Every name of a netns is set here. The number of a netns that ended is soon used for another one;
// packets from before keep the former name. As long as no other netns has the number, the netns
// keeps the name and the pod that it had.
bool Namer::name_netns(std::uint32_t netns) {
  if (netns == 0) return false;
  const auto place = netns_finder_.find(netns);
  std::optional<std::uint64_t> since_ns;
  if (place) {
    since_ns = since_of_another(netns, *place);
    made_[netns] = place->made_ns;
  }
  if (since_ns) pods_changed_ |= pods_.refresh();
  const std::string* pod = pods_.by_netns(netns);
  const auto known = names_.netns.find(netns);
  const bool had_pod = known != names_.netns.end() && !known->second.pod.empty();
  if (!since_ns && pod != nullptr && had_pod && known->second.pod != *pod)
    since_ns = to_monotonic(pods_.netns_written(netns));
  if (since_ns) begin_netns(netns, *since_ns);
  auto& name = names_.netns[netns];
  if (place) {
    name.name = clean_name(place->name);
    name.path = clean_name(place->path);
  }
  if (pod != nullptr) name.pod = *pod;
  return since_ns.has_value();
}

// The time when the netns that has the number now was made, if that is another netns than the known
// one.
std::optional<std::uint64_t> Namer::since_of_another(std::uint32_t netns, const NetnsPlace& place) {
  const auto made = made_.find(netns);
  const std::int64_t known_ns = made == made_.end() ? 0 : made->second;
  if (place.made_ns == known_ns) return {};
  // The netns has no name any more: it has lost it, or the number is now that of another netns that
  // never had one.
  if (place.made_ns == 0) return to_monotonic(clock_ns(CLOCK_REALTIME));
  const std::uint64_t since_ns = to_monotonic(place.made_ns);
  // The netns existed before the first event, and was only not found under its name until now.
  if (known_ns == 0 && since_ns <= start_ns_) return {};
  return since_ns;
}

void Namer::begin_netns(std::uint32_t netns, std::uint64_t since_ns) {
  names_.begin_netns(netns, since_ns);
  described_.erase(netns);
  wired_.erase(netns);
}

void Namer::forget_predecessors() {
  netns_finder_.follow_names();
  if (netns_finder_.searches() == compared_) return;
  compared_ = netns_finder_.searches();
  std::vector<std::uint32_t> met;
  for (const auto& [inode, place] : netns_finder_.found()) {
    if (names_.netns.contains(inode)) met.push_back(inode);
  }
  for (const auto inode : met) {
    if (name_netns(inode)) describe(inode);
  }
}

void Namer::refresh_pods() {
  describe_postponed();
  pods_changed_ |= pods_.refresh();
  forget_predecessors();
  const bool is_first = !std::exchange(pods_read_, true);
  if (!std::exchange(pods_changed_, false)) return;
  for (const auto& [address, pod] : pods_.addresses()) name_pod(address, pod, is_first);
  std::set<std::uint32_t> inodes;  // a copy, because name_netns() may read the pods anew
  for (const auto& [netns, pod] : pods_.netns()) inodes.insert(netns);
  for (const auto netns : inodes) {
    if (name_netns(netns)) describe(netns);
  }
}

std::vector<std::string> Namer::directories() const {
  auto paths = pods_.directories();
  const auto& names = netns_finder_.directories();
  paths.insert(paths.end(), names.begin(), names.end());
  return paths;
}

bool Namer::has_postponed() const {
  return !postponed_.empty() || pods_.is_settling() || netns_finder_.is_settling();
}

// A pod that is found before the first event has been there all along. The time of its file is not
// asked then: the clock of the file system may be that of another machine.
void Namer::name_pod(const Address& address, const std::string& pod, bool is_first) {
  const auto known = names_.pods.find(address);
  if (known != names_.pods.end() && known->second == pod) return;
  const auto since_ns = to_monotonic(pods_.since(address, to_realtime(start_ns_)));
  if (!is_first && since_ns > start_ns_) {
    names_.begin_pod(address, pod, since_ns);
  } else {
    names_.pods[address] = pod;
  }
}

}  // namespace dptrace
