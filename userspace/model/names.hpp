// The names behind the numbers in events: collected on the traced node, kept by recordings, read by
// every output.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "model/address.hpp"
#include "model/interface.hpp"

namespace dptrace {

struct Symbol {
  std::string name;
  std::uint64_t start = 0;  ///< address of the function, so that `name+0x7e` can be told

  friend bool operator==(const Symbol&, const Symbol&) = default;
};

struct Netns {
  std::string name;  ///< as `ip netns` knows it, empty: none
  std::string pod;   ///< `namespace/name`, empty: not a pod's, or not known

  friend bool operator==(const Netns&, const Netns&) = default;
};

struct Names {
  std::string node_name;
  std::string kernel_release;
  /// Added to CLOCK_MONOTONIC it gives nanoseconds since 1970.
  std::int64_t wall_clock_offset_ns = 0;
  std::uint32_t home_netns = 0;  ///< the netns dptrace ran in
  std::map<InterfaceId, Interface> interfaces;
  std::map<std::uint32_t, Netns> netns;
  std::map<Address, std::string> pods;           ///< `namespace/name` by address
  std::map<std::uint32_t, std::string> reasons;  ///< drop reasons, without SKB_DROP_REASON_
  std::map<std::uint64_t, Symbol> symbols;       ///< by the address that was looked up

  /// Null when the interface was never met.
  const Interface* interface(InterfaceId id) const;
  /// `ip_error`, or empty when not known.
  std::string function(std::uint64_t address) const;
  /// `ip_error+0x7e`, or the address in hexadecimal when not known.
  std::string location(std::uint64_t address) const;
};

}  // namespace dptrace
