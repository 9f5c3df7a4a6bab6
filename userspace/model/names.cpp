#include "model/names.hpp"

#include <fmt/format.h>

#include <utility>

namespace dptrace {

namespace {

constexpr std::uint64_t kLowestKernelAddress = 1ULL << 63;

// The range of entries of one netns in a map by InterfaceId: first, and one behind the last.
template <typename Map>
auto of_netns(Map& map, std::uint32_t inode) {
  return std::make_pair(map.lower_bound(InterfaceId{inode, 0}),
                        map.upper_bound(InterfaceId{inode, UINT32_MAX}));
}

}  // namespace

const Interface* Names::interface(InterfaceId id, std::uint64_t at_ns) const {
  if (const auto* former = former_netns.at(id.netns, at_ns)) {
    const auto found = former->interfaces.find(id.index);
    return found == former->interfaces.end() ? nullptr : &found->second;
  }
  const auto found = interfaces.find(id);
  return found == interfaces.end() ? nullptr : &found->second;
}

const Netns* Names::netns_at(std::uint32_t inode, std::uint64_t at_ns) const {
  if (const auto* former = former_netns.at(inode, at_ns)) return &former->netns;
  const auto found = netns.find(inode);
  return found == netns.end() ? nullptr : &found->second;
}

std::string_view Names::pod_of_netns(std::uint32_t inode, std::uint64_t at_ns) const {
  const Netns* found = netns_at(inode, at_ns);
  return found == nullptr ? std::string_view() : found->pod;
}

std::string_view Names::pod_of_address(const Address& address, std::uint64_t at_ns) const {
  if (const auto* former = former_pods.at(address, at_ns)) return *former;
  if (pods.empty()) return {};
  const auto found = pods.find(address);
  return found == pods.end() ? std::string_view() : found->second;
}

std::string_view Names::pod_of(InterfaceId id, std::uint64_t at_ns) const {
  if (const auto pod = pod_of_netns(id.netns, at_ns); !pod.empty()) return pod;
  const Interface* found = interface(id, at_ns);
  if (found == nullptr || found->peer_netns == 0) return {};
  return pod_of_netns(found->peer_netns, at_ns);
}

const Explanation* Names::explanation(const DropId& id) const {
  const auto found = explanations.find(id);
  return found == explanations.end() ? nullptr : found->second.get();
}

const RuleText* Names::rule(const RuleId& id) const {
  const auto found = rules.find(id);
  return found == rules.end() ? nullptr : &found->second;
}

void Names::begin_netns(std::uint32_t inode, std::uint64_t since_ns) {
  FormerNetns former;
  if (const auto entry = netns.extract(inode)) former.netns = std::move(entry.mapped());
  const auto [begin, end] = of_netns(interfaces, inode);
  for (auto entry = begin; entry != end; ++entry)
    former.interfaces.emplace(entry->first.index, std::move(entry->second));
  interfaces.erase(begin, end);
  former_netns.add(inode, since_ns, std::move(former));
}

void Names::begin_pod(const Address& address, std::string pod, std::uint64_t since_ns) {
  former_pods.add(address, since_ns, std::exchange(pods[address], std::move(pod)));
}

std::string Names::function(std::uint64_t address) const {
  const auto found = symbols.find(address);
  return found == symbols.end() ? std::string() : found->second.name;
}

std::string Names::location(std::uint64_t address) const {
  const auto found = symbols.find(address);
  // In recordings addresses are numbers without a meaning.
  if (found == symbols.end() && address < kLowestKernelAddress) return "an unknown function";
  if (found == symbols.end()) return fmt::format("{:#x}", address);
  return fmt::format("{}+{:#x}", found->second.name, address - found->second.start);
}

}  // namespace dptrace
