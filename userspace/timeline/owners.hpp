// Owners knows the netns that an address lives in: the netns in which packets from this address
// were made. Of the copies of a flood, the copy that came to the netns of its destination mattered.
#pragma once

#include <cstdint>
#include <map>

#include "model/address.hpp"

namespace dptrace {

class Owners {
 public:
  void note(const dpt_address& address, std::uint32_t netns) {
    // The number of addresses is bounded, because a flood of forged sources must not cost memory.
    if (netns_.size() >= kAddresses) netns_.clear();
    netns_.insert_or_assign(Address(address), netns);
  }
  /// The netns that `address` lives in; 0 when it is not known.
  std::uint32_t of(const dpt_address& address) const {
    const auto found = netns_.find(Address(address));
    return found == netns_.end() ? 0 : found->second;
  }

 private:
  static constexpr std::size_t kAddresses = 4096;
  std::map<Address, std::uint32_t> netns_;
};

}  // namespace dptrace
