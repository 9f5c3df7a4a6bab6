#include "model/address.hpp"

#include <arpa/inet.h>

#include <array>

namespace dptrace {

namespace {
constexpr std::array<unsigned char, 12> kIpv4Prefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
}

std::optional<Address> Address::parse(std::string_view text) {
  const std::string terminated(text);
  Address address;
  if (inet_pton(AF_INET6, terminated.c_str(), address.bytes.bytes) == 1) return address;
  std::memcpy(address.bytes.bytes, kIpv4Prefix.data(), kIpv4Prefix.size());
  if (inet_pton(AF_INET, terminated.c_str(), address.bytes.bytes + kIpv4Prefix.size()) == 1) {
    return address;
  }
  return std::nullopt;
}

bool Address::is_ipv4() const {
  return std::memcmp(bytes.bytes, kIpv4Prefix.data(), kIpv4Prefix.size()) == 0;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN];
  const bool v4 = is_ipv4();
  inet_ntop(v4 ? AF_INET : AF_INET6, bytes.bytes + (v4 ? kIpv4Prefix.size() : 0), buffer,
            sizeof buffer);
  return buffer;
}

}  // namespace dptrace
