// HomeDevices tells the BPF programs about the devices of the home netns, in memory that they read.
#pragma once

#include <cstdint>
#include <span>

#include "dptrace/config.h"

namespace dptrace {

class HomeDevices {
 public:
  /// `sets` are DPT_HOME_SETS, all zero.
  explicit HomeDevices(std::span<dpt_home_set> sets) : sets_(sets) {}

  /// `flags` are enum dpt_home_flag bits; 0 forgets the device. Returns false when there is no room
  /// for the device.
  bool set(std::uint32_t ifindex, std::uint32_t flags);
  /// Returns the flags of a device; 0: it is not known.
  std::uint32_t flags(std::uint32_t ifindex) const;

 private:
  dpt_home_set& set_of(std::uint32_t ifindex) const { return sets_[ifindex % sets_.size()]; }

  std::span<dpt_home_set> sets_;
};

}  // namespace dptrace
