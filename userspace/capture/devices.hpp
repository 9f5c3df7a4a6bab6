// The devices of this netns that have tc programs: found at start, followed as pods come and go.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "capture/tc.hpp"
#include "model/result.hpp"
#include "node/link_monitor.hpp"
#include "node/roles.hpp"

namespace dptrace {

class Devices {
 public:
  /// `covered[ifindex]` is set while tc programs tell the crossings of that device.
  static Result<std::unique_ptr<Devices>> start(std::unique_ptr<Tc> tc,
                                                std::vector<std::string> patterns,
                                                std::uint8_t* covered, bool mark_covered);

  /// Becomes readable when links change.
  int fd() const { return monitor_.fd(); }
  /// Attaches to what is new, lets go of what is gone.
  void follow();

  std::string_view mechanism() const { return tc_->mechanism(); }
  std::size_t attached() const { return attached_.size(); }
  /// Devices that could not be attached to, with the reason, since the last call.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  Devices(std::unique_ptr<Tc> tc, LinkMonitor monitor, std::vector<std::string> patterns,
          std::uint8_t* covered, bool mark_covered);
  Result<> reconcile();
  bool is_wanted(const Link& link) const;
  void set_covered(std::uint32_t ifindex, bool value);

  std::unique_ptr<Tc> tc_;
  LinkMonitor monitor_;
  const std::vector<std::string> patterns_;
  std::uint8_t* const covered_;
  const bool mark_covered_;
  NetnsTopology topology_;
  std::set<std::uint32_t> attached_;
  std::set<std::uint32_t> refused_;
  std::vector<std::string> warnings_;
};

}  // namespace dptrace
