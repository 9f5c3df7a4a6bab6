// Address is an IPv4 or IPv6 address as the wire has it: sixteen bytes, IPv4 mapped into
// ::ffff:0:0/96.
#pragma once

#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "dptrace/event.h"

namespace dptrace {

struct Address {
  dpt_address bytes{};

  Address() = default;
  explicit Address(const dpt_address& wire) : bytes(wire) {}

  /// The address that `text` spells; nothing when it is neither an IPv4 nor an IPv6 address.
  static std::optional<Address> parse(std::string_view text);

  bool is_ipv4() const;
  /// `10.244.1.3`, `fd00::1`.
  std::string text() const;

  friend bool operator==(const Address& a, const Address& b) {
    return std::memcmp(&a.bytes, &b.bytes, sizeof a.bytes) == 0;
  }
  friend bool operator<(const Address& a, const Address& b) {
    return std::memcmp(&a.bytes, &b.bytes, sizeof a.bytes) < 0;
  }
};

}  // namespace dptrace
