// Owners knows the netns that an address lives in: packets from it were made there. Of the copies
// of a flood, the one that came there is the one that mattered.
#pragma once

#include <cstdint>
#include <map>

#include "model/address.hpp"

namespace dptrace {

class Owners {
 public:
  void note(const dpt_address& address, std::uint32_t netns) {
    // Bounded: a flood of forged sources must not cost memory.
    if (netns_.size() >= kAddresses) netns_.clear();
    netns_.insert_or_assign(Address(address), netns);
  }
  /// 0: not known.
  std::uint32_t of(const dpt_address& address) const {
    const auto found = netns_.find(Address(address));
    return found == netns_.end() ? 0 : found->second;
  }

 private:
  static constexpr std::size_t kAddresses = 4096;
  std::map<Address, std::uint32_t> netns_;
};

}  // namespace dptrace
