// Devices chooses the devices of this netns that have tc programs: they are found at start, and
// followed as pods come and go. They are few, because programs cost time to take away (see Tc), and
// because the tracepoints see all other devices.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "attach/home_devices.hpp"
#include "attach/tc.hpp"
#include "attach/tunnel_ports.hpp"
#include "model/result.hpp"
#include "node/link_monitor.hpp"
#include "node/roles.hpp"

namespace dptrace {

struct DeviceSettings {
  std::vector<std::string> patterns{};  ///< device names; none: devices that pods' packets pass
  bool mark_covered = true;  ///< tells `home` of which devices tc programs tell the crossings
  /// The tracepoints tell no crossings: every device gets programs, whatever they cost.
  bool alone = false;
  /// Programs come and go by tcx, which costs the devices nothing.
  bool by_tcx = false;
};

class Devices {
 public:
  /// The most devices that get programs: to take them away takes less than a tenth of a second.
  static constexpr std::size_t kMost = 2;

  /// `home` is told the uplinks and, if wanted, the covered devices; `tunnel_ports` is told the
  /// links of this netns. Without `tc` nothing is attached anywhere.
  static Result<std::unique_ptr<Devices>> start(std::unique_ptr<Tc> tc, DeviceSettings settings,
                                                HomeDevices home, TunnelPorts& tunnel_ports);

  /// The descriptor becomes readable when links change.
  int fd() const { return monitor_.fd(); }
  /// Attaches to new devices, and lets go of devices that are gone. Returns false when nothing had
  /// changed.
  bool follow();

  /// Puts programs on the devices that are chosen as `settings` say; so it is at first.
  void attach_chosen();
  /// Puts programs on the doorbells of these addresses, see doorbells(), and on no other device,
  /// where the kernel has tcx. Returns false when no device has programs, because there are no
  /// doorbells, or too many.
  bool attach_doorbells(const std::vector<Address>& pods);
  bool has_doorbells() const { return !doorbells_.empty(); }
  /// Returns whether one of the doorbells has gone, as far as the links tell that follow() has
  /// seen.
  bool has_lost_doorbell() const { return !doorbells_.empty() && attached_ != doorbells_; }

  std::size_t attached() const { return attached_.size(); }
  /// Returns the number of devices with programs and of those that could have some.
  std::size_t wanted() const { return wanted_; }
  /// Returns why the first device that could not be attached to was not; empty: there is none.
  const std::string& first_refusal() const { return first_refusal_; }
  /// Returns the devices that could not be attached to since the last call, with the reasons.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  Devices(std::unique_ptr<Tc> tc, LinkMonitor monitor, DeviceSettings settings, HomeDevices home,
          TunnelPorts& tunnel_ports);
  Result<> reconcile();
  Result<> names_are_known() const;
  std::set<std::uint32_t> find_doorbells(const std::vector<Address>& pods) const;
  void attach_some(const std::vector<const Link*>& wanted);
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
  const DeviceSettings settings_;
  HomeDevices home_;
  TunnelPorts& tunnel_ports_;
  const std::uint32_t home_netns_;
  NetnsTopology topology_;
  std::set<std::uint32_t> uplinks_;
  std::set<std::uint32_t> attached_;
  std::set<std::uint32_t> refused_;
  std::set<std::uint32_t> doorbells_;  ///< doorbells with programs; empty: other devices, or none
  bool is_choosing_ = true;            ///< whether devices are chosen as links come and go
  std::size_t wanted_ = 0;
  std::string first_refusal_;
  std::vector<std::string> warnings_;
};

}  // namespace dptrace
