// HomeDevices tells the programs of the devices of the home netns, in memory that they read.
#pragma once

#include <cstdint>
#include <span>

#include "dptrace/config.h"

namespace dptrace {

class HomeDevices {
 public:
  /// `sets`: DPT_HOME_SETS of them, all zero.
  explicit HomeDevices(std::span<dpt_home_set> sets) : sets_(sets) {}

  /// `flags`: enum dpt_home_flag, 0 forgets the device. False: there is no room for it.
  bool set(std::uint32_t ifindex, std::uint32_t flags);
  /// 0: not known.
  std::uint32_t flags(std::uint32_t ifindex) const;

 private:
  dpt_home_set& set_of(std::uint32_t ifindex) const { return sets_[ifindex % sets_.size()]; }

  std::span<dpt_home_set> sets_;
};

}  // namespace dptrace
