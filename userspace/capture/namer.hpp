// Finds the names behind the numbers of events while the node still knows them.
#pragma once

#include <chrono>
#include <map>

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
  /// Modules have come: their functions are known from now on.
  void renew_symbols();
  /// Pods that came up since the last time.
  void refresh_pods();

 private:
  void name_address(std::uint64_t address, std::uint64_t ahead = 0);
  void see_place(const dpt_hop& hop);
  void see_device(const dpt_device& device);
  void describe(std::uint32_t netns);
  void name_netns(std::uint32_t netns);

  Names& names_;
  Symbols symbols_;
  NetnsFinder netns_finder_;
  Pods pods_;
  std::map<std::uint32_t, std::chrono::steady_clock::time_point> described_;
};

}  // namespace dptrace
