// The tc programs on devices of this netns, by whichever mechanism the kernel has.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "capture/skeleton.hpp"
#include "model/result.hpp"

namespace dptrace {

/// File descriptors of the loaded tc programs.
struct TcPrograms {
  int l2_in = -1;
  int l2_out = -1;
  int l3_in = -1;  ///< for devices without a link header
  int l3_out = -1;
};

class Tc {
 public:
  virtual ~Tc() = default;
  virtual std::string_view mechanism() const = 0;
  /// Both directions or none. `arp_type` is ARPHRD_* and tells whether packets have a link header.
  virtual Result<> attach(std::uint32_t ifindex, std::uint16_t arp_type) = 0;
  /// Empty while the programs on it see all packets. Else what keeps them from that: somebody has
  /// taken them away, or has put filters beside them that may end the row first.
  virtual std::string what_is_wrong(std::uint32_t ifindex) const = 0;
  /// Also for a device that is gone.
  virtual void detach(std::uint32_t ifindex) = 0;
};

/// Does anybody have tcx programs there?
bool has_tcx_programs(std::uint32_t ifindex);

/// tcx (6.6 and later): links that vanish with the process, before whatever else is attached.
std::unique_ptr<Tc> make_tcx(TcPrograms programs);

/// clsact and a direct-action filter of our own priority. A child process waits to
/// remove what this one leaves, should it be killed.
Result<std::unique_ptr<Tc>> make_clsact(TcPrograms programs);

/// The mechanism for a netns with so many links; what a dptrace that was killed left is removed
/// first. A tcx link costs a grace period of RCU under the
/// RTNL lock each way (8 to 16 ms measured on 6.18, against 1 ms for a clsact filter): with many
/// devices, at once or in time, clsact is taken where nobody else has programs on the device, for
/// which tcx keeps order and results.
Result<std::unique_ptr<Tc>> choose_tc(TcPrograms programs, bool has_tcx, std::size_t links);

/// Removes the filters of dptrace processes of this netns that are no more, and the clsact qdiscs
/// they had made, empty ones too. Returns how many filters there were.
Result<int> remove_stale_filters();

}  // namespace dptrace
