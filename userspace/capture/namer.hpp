// Finds the names behind the numbers of events while the node still knows them.
#pragma once

#include <chrono>
#include <map>
#include <set>

#include "model/event.hpp"
#include "model/names.hpp"
#include "node/netns.hpp"
#include "node/pods.hpp"
#include "node/symbols.hpp"

namespace dptrace {

class Namer {
 public:
  Namer(Names& names, Symbols symbols) : names_(names), symbols_(std::move(symbols)) {}

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
  /// Modules have come: their functions are known from now on.
  void renew_symbols();
  /// Pods that came up since the last time.
  void refresh_pods();
  /// Of the node's pods, as of the last refresh.
  const std::map<Address, std::string>& pod_addresses() const { return pods_.addresses(); }

 private:
  void name_address(std::uint64_t address, std::uint64_t ahead = 0);
  void see_place(InterfaceId id);
  void see_device(const dpt_device& device);
  void describe(std::uint32_t netns);
  void name_netns(std::uint32_t netns);
  void forget_predecessors();
  bool is_gone(InterfaceId id, const NetnsTopology* home,
               const std::map<std::uint32_t, NetnsPlace>& netns) const;

  struct Gone {
    std::set<InterfaceId> interfaces;
    std::set<std::uint32_t> netns;
    std::set<Address> pods;
  };

  Names& names_;
  Symbols symbols_;
  NetnsFinder netns_finder_;
  Pods pods_;
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> described_;
  std::uint64_t compared_ = 0;  ///< the search of netns_finder_ that was compared with the names
  Gone gone_;                   ///< as of the last forget_gone()
};

}  // namespace dptrace
