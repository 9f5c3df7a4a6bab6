// Names has the names behind the numbers in events. They are collected on the traced node, kept in
// recordings, and read by every output.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "model/address.hpp"
#include "model/explanation.hpp"
#include "model/former.hpp"
#include "model/interface.hpp"
#include "model/rule.hpp"

namespace dptrace {

struct Symbol {
  std::string name;
  std::uint64_t start = 0;  ///< address of the function, so that `name+0x7e` can be told

  friend bool operator==(const Symbol&, const Symbol&) = default;
};

struct Netns {
  std::string name;      ///< as `ip netns` knows it, empty: none
  std::string pod;       ///< `namespace/name`, empty: not a pod's, or not known
  bool is_node = false;  ///< it is wired like a node's: bridges, tunnels, pods behind it
  std::string path{};    ///< the file by which it can be entered; empty: none, or not known

  friend bool operator==(const Netns&, const Netns&) = default;
};

/// A former netns has ended, and its number is now that of another netns.
struct FormerNetns {
  Netns netns;
  std::map<std::uint32_t, Interface> interfaces;  ///< by index
};

struct Names {
  std::string node_name;
  std::string kernel_release;
  /// Added to a time of CLOCK_MONOTONIC it gives nanoseconds since 1970.
  std::int64_t wall_clock_offset_ns = 0;
  std::uint32_t home_netns = 0;  ///< the netns dptrace ran in
  /// True when not all sockets tell what they take. Then a packet may have been taken by a socket
  /// although no record says so.
  bool sockets_unseen = false;
  /// True when no record says which rule of nftables drops a packet.
  bool rules_unseen = false;
  std::map<InterfaceId, Interface> interfaces;
  std::map<std::uint32_t, Netns> netns;
  std::map<Address, std::string> pods;           ///< `namespace/name` by address
  std::map<std::uint32_t, std::string> reasons;  ///< drop reasons, without SKB_DROP_REASON_
  std::map<std::uint64_t, Symbol> symbols;       ///< key: the address that was looked up
  std::map<RuleId, RuleText> rules;
  /// Of the drops whose packets may not have been told yet; drops that ask the same share one.
  std::map<DropId, std::shared_ptr<const Explanation>> explanations;
  Former<std::uint32_t, FormerNetns> former_netns;
  Former<Address, std::string> former_pods;  ///< an empty name: the address was no pod's

  // These functions give the owner that a number or an address had at a time (CLOCK_MONOTONIC, ns),
  // that of an event.

  /// The interface; null when it was never met.
  const Interface* interface(InterfaceId id, std::uint64_t at_ns = kLatest) const;
  /// The netns; null when nothing is known of it.
  const Netns* netns_at(std::uint32_t inode, std::uint64_t at_ns) const;
  /// The pod's `namespace/name`; empty when it is no pod's, or not known.
  std::string_view pod_of_netns(std::uint32_t inode, std::uint64_t at_ns) const;
  std::string_view pod_of_address(const Address& address, std::uint64_t at_ns) const;
  /// The pod that the interface is in, or whose veth it is the other end of.
  std::string_view pod_of(InterfaceId id, std::uint64_t at_ns) const;

  /// What the rule says; null when it is not known.
  const RuleText* rule(const RuleId& id) const;
  /// Why the packet died; null when nobody has asked.
  const Explanation* explanation(const DropId& id) const;

  /// From `since_ns` on the number means another netns, of which nothing is known yet.
  void begin_netns(std::uint32_t inode, std::uint64_t since_ns);
  /// From `since_ns` on the address is this pod's.
  void begin_pod(const Address& address, std::string pod, std::uint64_t since_ns);

  /// The name of the function, `ip_error`; empty when it is not known.
  std::string function(std::uint64_t address) const;
  /// The place in a function, `ip_error+0x7e`. When it is not known: the address in hexadecimal, or
  /// `an unknown function` when it is no address of the kernel's, as in recordings.
  std::string location(std::uint64_t address) const;
};

}  // namespace dptrace
