// Packets as they are on the wire, from the IP header on. Checksums are any number: nobody verifies
// them here.
#pragma once

#include <netinet/in.h>

#include <cstdint>
#include <span>
#include <vector>

namespace dptrace::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kIpv6 = 0x86dd;
inline constexpr std::uint16_t kVlan = 0x8100;
inline constexpr std::uint16_t kServiceVlan = 0x88a8;
inline constexpr std::uint16_t kEthernet = 0x6558;
inline constexpr std::uint16_t kMoreFragments = 0x2000;
inline constexpr std::uint16_t kDontFragment = 0x4000;

inline Bytes number(std::uint64_t value, int size) {
  Bytes bytes;
  for (int i = size - 1; i >= 0; --i) bytes.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  return bytes;
}

inline Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes whole;
  for (const auto& part : parts) whole.insert(whole.end(), part.begin(), part.end());
  return whole;
}

struct Ip {
  int family = 4;
  std::uint8_t protocol = IPPROTO_UDP;
  std::uint32_t source = 0x0af40102;  // IPv6: the last four bytes
  std::uint32_t destination = 0x0af40203;
  std::uint16_t id = 0;  // IPv4
  std::uint16_t fragment = 0;
  std::uint8_t ttl = 64;
  std::uint16_t checksum = 0x1234;
  std::uint32_t flow_label = 0;  // IPv6
  // IPv4: a multiple of four bytes. IPv6: whole extension headers, the last of which names
  // `protocol`.
  Bytes options = {};
  std::uint8_t next_header = IPPROTO_NONE;  // IPv6 with options: what they begin with
};

inline std::uint16_t ether_type(const Ip& ip) { return ip.family == 4 ? kIpv4 : kIpv6; }

inline Bytes packet(const Ip& ip, const Bytes& content) {
  const auto optional = static_cast<std::uint32_t>(ip.options.size());
  const auto carried = static_cast<std::uint32_t>(content.size()) + optional;
  if (ip.family == 4) {
    return joined({number(0x45 + optional / 4, 1), number(0, 1), number(20 + carried, 2),
                   number(ip.id, 2), number(ip.fragment, 2), number(ip.ttl, 1),
                   number(ip.protocol, 1), number(ip.checksum, 2), number(ip.source, 4),
                   number(ip.destination, 4), ip.options, content});
  }
  const Bytes network = number(0xfd00'0010'0244'0000, 8);
  return joined({number(0x6000'0000U | ip.flow_label, 4), number(carried, 2),
                 number(optional == 0 ? ip.protocol : ip.next_header, 1), number(ip.ttl, 1),
                 network, number(ip.source, 8), network, number(ip.destination, 8), ip.options,
                 content});
}

// An IPv6 fragment header before what `next` names.
inline Bytes fragment_header(std::uint8_t next, std::uint16_t offset, bool more, std::uint32_t id) {
  return joined(
      {number(next, 1), number(0, 1), number(offset << 3 | (more ? 1 : 0), 2), number(id, 4)});
}

inline Bytes ports(std::uint16_t source, std::uint16_t destination) {
  return joined({number(source, 2), number(destination, 2)});
}

inline Bytes udp(std::uint16_t source, std::uint16_t destination, const Bytes& payload,
                 std::uint16_t checksum = 0x4321) {
  return joined(
      {ports(source, destination), number(8 + payload.size(), 2), number(checksum, 2), payload});
}

struct Tcp {
  std::uint16_t source = 40000;
  std::uint16_t destination = 80;
  std::uint32_t sequence = 0x11223344;
  std::uint32_t acknowledgment = 0x55667788;
  std::uint8_t flags = 0x10;
  std::uint16_t checksum = 0x4321;
  Bytes options = {};
};

inline Bytes tcp(const Tcp& tcp, const Bytes& payload) {
  return joined({ports(tcp.source, tcp.destination), number(tcp.sequence, 4),
                 number(tcp.acknowledgment, 4), number((20 + tcp.options.size()) / 4 << 4, 1),
                 number(tcp.flags, 1), number(0xffff, 2), number(tcp.checksum, 2), number(0, 2),
                 tcp.options, payload});
}

inline Bytes timestamps(std::uint32_t value, std::uint32_t echo) {
  return joined({number(0x0101'080a, 4), number(value, 4), number(echo, 4)});
}

// Echo, or an error: then id and sequence are what its second word has.
inline Bytes icmp(std::uint8_t type, std::uint16_t id, std::uint16_t sequence, const Bytes& payload,
                  std::uint16_t checksum = 0x4321) {
  return joined({number(type, 1), number(0, 1), number(checksum, 2), number(id, 2),
                 number(sequence, 2), payload});
}

inline Bytes frame(std::uint16_t type, const Bytes& content) {
  return joined(
      {number(0x0242'0a00'0001, 6), number(0x0242'0a00'0002, 6), number(type, 2), content});
}

// What stands behind a tag's own EtherType.
inline Bytes tagged(std::uint16_t vlan, std::uint16_t type, const Bytes& content) {
  return joined({number(vlan, 2), number(type, 2), content});
}

inline Bytes vxlan(std::uint32_t vni, const Bytes& inner) {
  return udp(50000, 4789, joined({number(0x0800'0000, 4), number(vni << 8, 4), inner}));
}

inline Bytes geneve(std::uint32_t vni, const Bytes& options, std::uint16_t type,
                    const Bytes& inner) {
  return udp(50000, 6081,
             joined({number(options.size() / 4, 1), number(0, 1), number(type, 2),
                     number(vni << 8, 4), options, inner}));
}

// `flags`: 0x8000 with checksum, 0x2000 with key, 0x1000 with sequence.
inline Bytes gre(std::uint16_t flags, std::uint16_t type, const Bytes& inner) {
  const Bytes checksum = (flags & 0x8000) != 0 ? number(0xabcd0000, 4) : Bytes{};
  const Bytes key = (flags & 0x2000) != 0 ? number(77, 4) : Bytes{};
  const Bytes sequence = (flags & 0x1000) != 0 ? number(5, 4) : Bytes{};
  return joined({number(flags, 2), number(type, 2), checksum, key, sequence, inner});
}

}  // namespace dptrace::test
