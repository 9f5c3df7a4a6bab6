// A listen address is an address of this machine and a port, at which a server listens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/address.hpp"

namespace dptrace {

struct ListenAddress {
  Address ip;
  std::uint16_t port = 0;

  /// Parses `127.0.0.1:9435` or `[::1]:9435`; a port alone is one of the IPv4 loopback address.
  /// Nothing for names, for port 0, and when the address is empty: a user has to name the address
  /// that opens the port to others.
  static std::optional<ListenAddress> parse(std::string_view text);

  std::string text() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

}  // namespace dptrace
