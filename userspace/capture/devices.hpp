// The devices of this netns that have tc programs: found at start, followed as pods come and go.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "capture/home_devices.hpp"
#include "capture/tc.hpp"
#include "capture/tunnel_ports.hpp"
#include "model/result.hpp"
#include "node/link_monitor.hpp"
#include "node/roles.hpp"

namespace dptrace {

class Devices {
 public:
  /// `home` is told the uplinks, and while `mark_covered` of which devices tc programs tell the
  /// crossings. `tunnel_ports` is told the links of this netns. Without `tc` nothing is attached
  /// anywhere.
  static Result<std::unique_ptr<Devices>> start(std::unique_ptr<Tc> tc,
                                                std::vector<std::string> patterns, HomeDevices home,
                                                bool mark_covered, TunnelPorts& tunnel_ports);

  /// Becomes readable when links change.
  int fd() const { return monitor_.fd(); }
  /// Attaches to what is new, lets go of what is gone. False: nothing had changed.
  bool follow();

  std::size_t attached() const { return attached_.size(); }
  /// Why the first of those that could not be attached to was not; empty: there is none.
  const std::string& first_refusal() const { return first_refusal_; }
  /// Devices that could not be attached to, with the reason, since the last call.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  Devices(std::unique_ptr<Tc> tc, LinkMonitor monitor, std::vector<std::string> patterns,
          HomeDevices home, bool mark_covered, TunnelPorts& tunnel_ports);
  Result<> reconcile();
  void attach(const Link& link);
  void forget(std::uint32_t ifindex);
  void check(std::uint32_t ifindex);
  void refuse(const Link& link, const std::string& why);
  bool is_wanted(const Link& link) const;
  bool set_home(std::uint32_t ifindex, std::uint32_t flag, bool value);
  void set_uplinks();
  Result<> cover(const Link& link);

  std::unique_ptr<Tc> tc_;
  LinkMonitor monitor_;
  const std::vector<std::string> patterns_;
  HomeDevices home_;
  const bool mark_covered_;
  TunnelPorts& tunnel_ports_;
  const std::uint32_t home_netns_;
  NetnsTopology topology_;
  std::set<std::uint32_t> uplinks_;
  std::set<std::uint32_t> attached_;
  std::set<std::uint32_t> refused_;
  std::string first_refusal_;
  std::vector<std::string> warnings_;
};

}  // namespace dptrace
