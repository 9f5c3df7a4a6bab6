// A server listens at an address of this machine and a port.
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

  /// `127.0.0.1:9435`, `[::1]:9435`; a port alone is one of the IPv4 loopback. Nothing for names,
  /// port 0 and an address left out: what is open to others is asked for by its address.
  static std::optional<ListenAddress> parse(std::string_view text);

  std::string text() const;

  friend bool operator==(const ListenAddress&, const ListenAddress&) = default;
};

}  // namespace dptrace
