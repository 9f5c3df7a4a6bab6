// Finds the names behind the numbers of events while the node still knows them.
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
#include "node/netns.hpp"

namespace dptrace {

class Namer {
 public:
  Namer(Names& names, Symbols symbols);

  using OnLinks = std::function<void(std::uint32_t netns, const std::vector<Link>& links)>;
  /// To be called with all links of a netns whenever they were read.
  void on_links(OnLinks on_links) { on_links_ = std::move(on_links); }

  /// To be called with every event before the timeline gets it.
  void see(const Event& event);
  /// Likewise of what is only counted: the address in a function and the device.
  void see(std::uint64_t location, InterfaceId interface);
  /// A device, or with index 0 a netns.
  void see(InterfaceId place);
  /// Forgets devices, namespaces and pods but these and what they need: for those who run for
  /// weeks. Pods that are there are kept anyway.
  void keep(const std::set<InterfaceId>& interfaces, const std::set<Address>& pods);
  /// Forgets what was found gone the last time, and is gone still: for those who cannot say what
  /// they need, but need nothing for longer than the time between two calls.
  void forget_gone();
  /// Looks at all processes for what exists now.
  Presence presence();
  /// All devices of all network namespaces there are, so that none is to be asked for while packets
  /// wait. The kernel takes some 0.2 ms for each namespace.
  void describe_all();
  /// Of the own netns: a device that is met next may be new.
  void links_changed();
  /// Pods that came up since the last time. A netns with the number of one that ended, or a pod
  /// with the address, is known by its own name from when it was made; to be called before packets
  /// are told.
  void refresh_pods();
  /// Where files come and go with pods and names of network namespaces: refresh_pods() has nothing
  /// to find while these directories stay as they are,
  std::vector<std::string> directories() const;
  /// but for what it has put off, or may have come too early for.
  bool has_postponed() const;
  /// Network namespaces that are pods' or have a name, as of the last refresh: root has made them.
  std::set<std::uint32_t> trusted_netns() const;
  /// Of the node's pods, as of the last refresh.
  const std::map<Address, std::string>& pod_addresses() const { return pods_.addresses(); }

 private:
  void name_address(std::uint64_t address, std::uint64_t ahead = 0);
  void see_place(InterfaceId id);
  void see_device(const dpt_device& device);
  /// `wanted`: the device that is asked about.
  void describe(std::uint32_t netns, std::uint32_t wanted = 0);
  void take_topology(std::uint32_t netns, const NetnsTopology& topology, std::uint32_t wanted);
  bool is_strangers(std::uint32_t netns);
  void describe_postponed();
  void forget_former();
  void find_peer(Interface& interface, const Link& link);
  /// True: it is another one than the one that had the number.
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
  Pods pods_;
  const std::uint64_t start_ns_;  ///< CLOCK_MONOTONIC; events are later
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> described_;
  NamingTime time_;
  std::map<std::uint32_t, std::set<std::uint32_t>> postponed_;  ///< devices, by netns
  bool pods_changed_ = false;                                   ///< since names_ was told of them
  bool pods_read_ = false;                      ///< the first time, before the first event
  std::set<std::uint32_t> wired_;               ///< of these Netns::is_node is known
  std::map<std::uint32_t, std::int64_t> made_;  ///< NetnsPlace::made_ns of the netns that is known
  std::uint64_t compared_ = 0;  ///< the search of netns_finder_ that was compared with the names
  Gone gone_;                   ///< as of the last forget_gone()
};

}  // namespace dptrace
