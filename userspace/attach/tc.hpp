// Tc puts the tc programs on devices of this netns, by whichever mechanism the kernel has.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "model/result.hpp"

namespace dptrace {

/// TcPrograms has the file descriptors of the loaded tc programs.
struct TcPrograms {
  int l2_in = -1;
  int l2_out = -1;
  int l3_in = -1;  ///< for devices without a link header; -1: no such device was there at the start
  int l3_out = -1;
};

inline constexpr const char* kNoneAtStart =
    "when the trace began, no device was without a link header: programs for those were left out";

class Tc {
 public:
  virtual ~Tc() = default;
  /// Returns the devices that programs come to and go from without a packet being lost; nothing:
  /// all devices.
  virtual std::optional<std::set<std::uint32_t>> undisturbed() const = 0;
  /// Returns why this kernel would let no program be attached; empty: it would, or there is no
  /// right to try (CAP_SYS_ADMIN, before 6.6). No device of this netns is touched.
  virtual std::string trial() const = 0;
  /// Attaches the programs of both directions or none.
  virtual Result<> attach(std::uint32_t ifindex, bool has_link_header) = 0;
  /// Returns what keeps the programs on the device from seeing all packets; empty: nothing does.
  /// Somebody may have taken them away, or may have put filters beside them that may end the row
  /// first.
  virtual std::string what_is_wrong(std::uint32_t ifindex) const = 0;
  /// Takes the programs away, also from a device that is gone.
  virtual void detach(std::uint32_t ifindex) = 0;
};

/// Makes a Tc by tcx (6.6 and later): its links vanish with the process, and its programs run
/// before whatever else is attached. A link takes a grace period of RCU under the RTNL lock each
/// way: 8 to 16 ms measured on 6.18.
std::unique_ptr<Tc> make_tcx(TcPrograms programs);

/// Makes a Tc by clsact and a direct-action filter of our own priority. A child process, forked
/// with the first filter, waits to remove what this process leaves, should it be killed. While the
/// kernel makes or removes a qdisc it throws away what is sent by the device: for 0.3 ms, measured
/// on 6.18.
std::unique_ptr<Tc> make_clsact(TcPrograms programs);

/// Removes the filters of dptrace processes of this netns that are no more, and the clsact qdiscs
/// that they had made, empty ones too. Returns how many filters there were.
Result<int> remove_stale_filters();

}  // namespace dptrace
