// An owner is the dptrace process that tc filters and qdiscs belong to; it may have ended.
#pragma once

#include <cstdint>
#include <set>
#include <string_view>

#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// OwnerClaim holds a number that no other living dptrace of this network namespace has. The number
/// is the port of a netlink socket in a multicast group that takes CAP_NET_ADMIN to join: like
/// filters, the port belongs to a netns; it goes with its process, and nobody without that
/// capability can have one.
class OwnerClaim {
 public:
  static Result<OwnerClaim> make();
  std::uint32_t number() const { return number_; }

 private:
  OwnerClaim(OwnedFd socket, std::uint32_t number) : socket_(std::move(socket)), number_(number) {}

  OwnedFd socket_;
  std::uint32_t number_;
};

constexpr std::uint32_t kMaxOwner = 0x3fffffff;

/// Returns the owners of this network namespace that live.
Result<std::set<std::uint32_t>> living_owners();
/// `text` has the form of /proc/net/netlink.
std::set<std::uint32_t> parse_living_owners(std::string_view text);

}  // namespace dptrace
