#include "capture/namer.hpp"

#include <fmt/format.h>

#include <vector>

#include "node/roles.hpp"

namespace dptrace {

namespace {

// A netns whose devices could not be told is not asked for again before this time has passed.
constexpr std::chrono::seconds kPause{1};

std::string kind_of(const dpt_device& device) {
  constexpr std::uint16_t kArphrdLoopback = 772;
  if (device.kind[0] != '\0') return device.kind;
  return device.type == kArphrdLoopback ? "loopback" : "device";
}

}  // namespace

void Namer::see(const Event& event) {
  if (const auto* device = std::get_if<dpt_device>(&event)) {
    see_device(*device);
  } else if (const auto* hop = std::get_if<dpt_hop>(&event)) {
    see_place({hop->netns, hop->ifindex});
  } else if (const auto* drop = std::get_if<dpt_drop>(&event)) {
    see_place({drop->hop.netns, drop->hop.ifindex});
    name_address(drop->location);
    for (std::size_t i = 0; i < drop->stack_depth; ++i) name_address(drop->stack[i]);
  } else if (const auto* netfilter = std::get_if<dpt_netfilter>(&event)) {
    see_place({netfilter->hop.netns, netfilter->hop.ifindex});
    // The address of a function itself, not one behind a call.
    if (netfilter->function != 0) name_address(netfilter->function, 1);
  }
}

void Namer::name_address(std::uint64_t address, std::uint64_t ahead) {
  if (names_.symbols.contains(address)) return;
  if (auto symbol = symbols_.find(address + ahead))
    names_.symbols.emplace(address, std::move(*symbol));
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
  // What was forgotten may be met again at once.
  described_.clear();
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
}

// Of other namespaces that are there still, the devices are few and go with them.
bool Namer::is_gone(InterfaceId id, const NetnsTopology* home,
                    const std::map<std::uint32_t, NetnsPlace>& netns) const {
  if (id.netns != names_.home_netns) return !netns.contains(id.netns);
  return home != nullptr && home->link(id.index) == nullptr;
}

void Namer::see_place(InterfaceId id) {
  if (id.index != 0 && id.netns != 0 && !names_.interfaces.contains(id)) describe(id.netns);
}

void Namer::see_device(const dpt_device& device) {
  const InterfaceId id{device.netns, device.ifindex};
  auto& interface = names_.interfaces[id];
  // The kernel's own word, good also for a device that is gone before it could be asked for.
  interface.id = id;
  interface.name = device.name;
  interface.kind = kind_of(device);
  interface.mtu = device.mtu;
  described_.erase(device.netns);
  describe(device.netns);
}

void Namer::describe(std::uint32_t netns) {
  const auto now = std::chrono::steady_clock::now();
  const auto [entry, is_first] = described_.try_emplace(netns, now);
  if (!is_first && now - entry->second < kPause) return;
  entry->second = now;

  const auto topology =
      netns == names_.home_netns ? read_topology() : describe_netns(netns_finder_, netns);
  if (topology) {
    for (auto& interface : interfaces(netns, *topology)) {
      // Numbers of other netns mean something only in the one that gave them.
      const Link* link = topology->link(interface.id.index);
      if (netns == names_.home_netns && link != nullptr && link->peer_elsewhere) {
        interface.peer_netns = netns_finder_.find_nsid(link->peer_nsid);
        name_netns(interface.peer_netns);
      }
      names_.interfaces[interface.id] = std::move(interface);
    }
  }
  name_netns(netns);
}

void Namer::name_netns(std::uint32_t netns) {
  if (netns == 0) return;
  auto& name = names_.netns[netns];
  if (const auto place = netns_finder_.find(netns)) name.name = place->name;
  if (const auto* pod = pods_.by_netns(netns)) name.pod = *pod;
}

// The number of a netns that ended is soon another's, who is not to be told under its name. While
// there is no other, it keeps the name and the pod that it had.
void Namer::forget_predecessors() {
  if (netns_finder_.names_changed()) netns_finder_.find_all();
  if (netns_finder_.searches() == compared_) return;
  compared_ = netns_finder_.searches();
  std::vector<std::uint32_t> reborn;
  for (const auto& [inode, place] : netns_finder_.found()) {
    const auto known = names_.netns.find(inode);
    if (known == names_.netns.end() || known->second.name.empty()) continue;
    if (known->second.name != place.name) reborn.push_back(inode);
  }
  for (const auto inode : reborn) {
    names_.netns[inode] = {};
    described_.erase(inode);
    describe(inode);
  }
}

void Namer::renew_symbols() {
  if (auto symbols = Symbols::load()) symbols_ = std::move(*symbols);
}

void Namer::refresh_pods() {
  const bool changed = pods_.refresh();
  forget_predecessors();
  if (!changed) return;
  for (const auto& [address, pod] : pods_.addresses()) names_.pods[address] = pod;
  for (const auto& [netns, pod] : pods_.netns()) names_.netns[netns].pod = pod;
}

}  // namespace dptrace
