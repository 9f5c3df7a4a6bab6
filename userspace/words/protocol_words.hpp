// These functions name IP protocols, TCP flags and ICMP messages.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace dptrace {

struct ProtocolName {
  std::uint8_t number;
  std::string_view json;   ///< `icmpv6`
  std::string_view words;  ///< `ICMPv6`
};

/// The names of a protocol; null when it has none here.
const ProtocolName* protocol_name(std::uint8_t number);

struct TcpFlag {
  std::uint8_t bit;
  std::string_view name;
};
/// The flags, in the order in which people say them: `SYN ACK`, `FIN ACK`.
std::span<const TcpFlag> tcp_flags();
inline constexpr std::uint8_t kTcpAck = 0x10;

struct IcmpWords {
  std::string_view type;  ///< `destination unreachable`; empty: not known
  std::string_view code;  ///< `port`; empty: none, or not known
};
/// `protocol` is IPPROTO_ICMP or IPPROTO_ICMPV6.
IcmpWords icmp_words(std::uint8_t protocol, std::uint8_t type, std::uint8_t code);

}  // namespace dptrace
