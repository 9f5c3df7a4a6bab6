// Namer finds the names behind the numbers of events while the node still knows them.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "model/event.hpp"
#include "model/names.hpp"
#include "model/presence.hpp"
#include "names/live_symbols.hpp"
#include "names/naming_time.hpp"
#include "names/pods.hpp"
#include "names/rule_book.hpp"
#include "node/netns.hpp"

namespace dptrace {

class Namer {
 public:
  Namer(Names& names, Symbols symbols);

  using OnLinks = std::function<void(std::uint32_t netns, const std::vector<Link>& links)>;
  /// `on_links` is called with all links of a netns whenever they were read.
  void on_links(OnLinks on_links) { on_links_ = std::move(on_links); }

  RuleBook& rules() { return rules_; }
  /// Opens a netns of this machine.
  Result<OwnedFd> open_netns(std::uint32_t netns) { return netns_finder_.open(netns); }

  /// Names what the event contains; to be called with every event before the timeline gets it.
  void see(const Event& event);
  /// Names an address in a function and a device, of drops that are only counted.
  void see(std::uint64_t location, InterfaceId interface);
  /// Names a device or, with index 0, a netns.
  void see(InterfaceId place);
  /// Forgets all devices, namespaces and pods except these and what these need. A command that runs
  /// for weeks calls it. Pods that are on the node now are kept anyway.
  void keep(const std::set<InterfaceId>& interfaces, const std::set<Address>& pods);
  /// Forgets what the last call found gone and what is still gone. A caller that cannot say what it
  /// needs calls this; it must not need anything for longer than the time between two calls.
  void forget_gone();
  /// Tells what exists on the node now. The search reads all processes.
  Presence presence();
  /// Describes all devices of all network namespaces, so that none is asked for while packets wait.
  /// The kernel takes some 0.2 ms for each namespace.
  void describe_all();
  /// Devices of the own netns have changed: a device that is met next is asked for.
  void links_changed();
  /// Names the pods that came up since the last call. A netns that has the number of one that
  /// ended, or a pod that has the address of another, gets its own name from the time when it was
  /// made; to be called before packets are told.
  void refresh_pods();
  /// The directories in which files come and go with pods and with names of network namespaces.
  /// While they do not change, refresh_pods() finds nothing new, except in the cases of
  /// has_postponed().
  std::vector<std::string> directories() const;
  /// True when refresh_pods() has put something off, or may have come too early for a change.
  bool has_postponed() const;
  /// The network namespaces that belong to pods or have a name, as of the last refresh: root has
  /// made them.
  std::set<std::uint32_t> trusted_netns() const;
  /// The addresses of the node's pods, as of the last refresh.
  const std::map<Address, std::string>& pod_addresses() const { return pods_.addresses(); }

 private:
  void name_address(std::uint64_t address, std::uint64_t ahead = 0);
  void see_place(InterfaceId id);
  Result<Inquiry<Result<Rules>>> begin_reading(const RuleBook::Table& table);
  void see_device(const dpt_device& device);
  /// `wanted` is the index of the device that is asked about.
  void describe(std::uint32_t netns, std::uint32_t wanted = 0);
  void take_topology(std::uint32_t netns, const NetnsTopology& topology, std::uint32_t wanted);
  bool is_strangers(std::uint32_t netns);
  void describe_postponed();
  void forget_former();
  void find_peer(Interface& interface, const Link& link);
  /// Returns true when the netns is another one than the one that had the number before.
  bool name_netns(std::uint32_t netns);
  std::optional<std::uint64_t> since_of_another(std::uint32_t netns, const NetnsPlace& place);
  void begin_netns(std::uint32_t netns, std::uint64_t since_ns);
  void name_pod(const Address& address, const std::string& pod, bool is_first);
  void forget_predecessors();
  bool is_gone(InterfaceId id, const NetnsTopology* home,
               const std::map<std::uint32_t, NetnsPlace>& netns) const;

  struct Gone {
    std::set<InterfaceId> interfaces;
    std::set<std::uint32_t> netns;
    std::set<Address> pods;
  };

  Names& names_;
  LiveSymbols symbols_;
  OnLinks on_links_ = [](std::uint32_t, const std::vector<Link>&) {};
  NetnsFinder netns_finder_;
  RuleBook rules_;
  Pods pods_;
  const std::uint64_t start_ns_;  ///< CLOCK_MONOTONIC; all events are later
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> described_;
  NamingTime time_;
  std::map<std::uint32_t, std::set<std::uint32_t>> postponed_;  ///< indices of devices, by netns
  bool pods_changed_ = false;                                   ///< since `names_` got them
  bool pods_read_ = false;         ///< true after the first reading, which precedes the first event
  std::set<std::uint32_t> wired_;  ///< namespaces whose Netns::is_node is known
  std::map<std::uint32_t, std::int64_t> made_;  ///< NetnsPlace::made_ns of each known netns
  std::uint64_t compared_ = 0;  ///< the search of netns_finder_ that was compared with the names
  Gone gone_;                   ///< what the last forget_gone() found gone
};

}  // namespace dptrace
