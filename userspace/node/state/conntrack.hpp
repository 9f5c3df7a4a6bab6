// The connection tracking (conntrack) of the calling thread's network namespace.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

/// The ends of one direction of a connection of TCP or UDP.
struct ConntrackTuple {
  std::uint8_t protocol = 0;
  Address source{}, destination{};
  std::uint16_t source_port = 0, destination_port = 0;

  ConntrackTuple reversed() const {
    return {protocol, destination, source, destination_port, source_port};
  }
  /// `10.244.1.2:40000 > 10.96.0.10:53`.
  std::string words() const;

  friend bool operator==(const ConntrackTuple&, const ConntrackTuple&) = default;
};

struct ConntrackEntry {
  ConntrackTuple original{}, reply{};
  std::uint32_t status = 0;     ///< IPS_*
  std::uint32_t timeout_s = 0;  ///< until the entry ends, if no packet comes
  std::uint8_t tcp_state = 0;   ///< TCP_CONNTRACK_*
  bool has_helper = false;      ///< a helper reads the packets, and may drop some

  /// Both directions have sent.
  bool is_answered() const;
  /// Of UDP: packets of both directions have come for more than two seconds.
  bool is_assured() const;
  /// `udp 10.244.1.2:40000 > 10.96.0.10:53`, and what NAT made of it.
  std::string words() const;
};

/// `ESTABLISHED`; empty for a state that is not known.
std::string_view conntrack_tcp_state(std::uint8_t state);

/// The entry in which one of the directions has these ends; nothing when there is none.
Result<std::optional<ConntrackEntry>> find_conntrack(const ConntrackTuple& ends);

/// The number of entries that could not be put into the table, of all CPUs.
Result<std::uint64_t> read_conntrack_insert_failures();

/// Reads an answer of the kernel; nothing when it is no entry of TCP or UDP.
std::optional<ConntrackEntry> parse_conntrack(const nlmsghdr* message);

}  // namespace dptrace
