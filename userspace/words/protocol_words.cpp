#include "words/protocol_words.hpp"

#include <netinet/in.h>

#include "model/flow.hpp"

namespace dptrace {

namespace {

constexpr std::array<ProtocolName, 16> kProtocols = {{
    {1, "icmp", "ICMP"},
    {2, "igmp", "IGMP"},
    {4, "ipip", "IPIP"},
    {6, "tcp", "TCP"},
    {17, "udp", "UDP"},
    {33, "dccp", "DCCP"},
    {41, "ipv6", "IPv6-in-IP"},
    {47, "gre", "GRE"},
    {50, "esp", "ESP"},
    {51, "ah", "AH"},
    {58, "icmpv6", "ICMPv6"},
    {88, "eigrp", "EIGRP"},
    {89, "ospf", "OSPF"},
    {103, "pim", "PIM"},
    {112, "vrrp", "VRRP"},
    {132, "sctp", "SCTP"},
}};

constexpr std::array<TcpFlag, 8> kTcpFlags = {{
    {0x02, "SYN"},
    {0x01, "FIN"},
    {0x04, "RST"},
    {0x08, "PSH"},
    {kTcpAck, "ACK"},
    {0x20, "URG"},
    {0x40, "ECE"},
    {0x80, "CWR"},
}};

constexpr int kAnyCode = -1;

struct IcmpRow {
  std::uint8_t type;
  int code;
  std::string_view words;
};

// These types and codes are those of RFC 792, RFC 1122, RFC 1191 and RFC 1812.
constexpr std::array<IcmpRow, 30> kIcmpRows = {{
    {0, kAnyCode, "echo reply"},
    {3, kAnyCode, "destination unreachable"},
    {3, 0, "network"},
    {3, 1, "host"},
    {3, 2, "protocol"},
    {3, 3, "port"},
    {3, 4, "fragmentation needed"},
    {3, 5, "source route failed"},
    {3, 6, "network unknown"},
    {3, 7, "host unknown"},
    {3, 9, "network prohibited"},
    {3, 10, "host prohibited"},
    {3, 13, "communication prohibited"},
    {4, kAnyCode, "source quench"},
    {5, kAnyCode, "redirect"},
    {5, 0, "for the network"},
    {5, 1, "for the host"},
    {8, kAnyCode, "echo request"},
    {9, kAnyCode, "router advertisement"},
    {10, kAnyCode, "router solicitation"},
    {11, kAnyCode, "time exceeded"},
    {11, 0, "TTL reached 0"},
    {11, 1, "fragments missing"},
    {12, kAnyCode, "parameter problem"},
    {13, kAnyCode, "timestamp request"},
    {14, kAnyCode, "timestamp reply"},
    {17, kAnyCode, "address mask request"},
    {18, kAnyCode, "address mask reply"},
    {42, kAnyCode, "extended echo request"},
    {43, kAnyCode, "extended echo reply"},
}};

// These types and codes are those of RFC 4443, RFC 2710, RFC 4861 and RFC 3810.
constexpr std::array<IcmpRow, 27> kIcmpv6Rows = {{
    {1, kAnyCode, "destination unreachable"},
    {1, 0, "no route"},
    {1, 1, "prohibited"},
    {1, 2, "beyond scope of source"},
    {1, 3, "address"},
    {1, 4, "port"},
    {1, 5, "source address failed policy"},
    {1, 6, "reject route"},
    {2, kAnyCode, "packet too big"},
    {3, kAnyCode, "time exceeded"},
    {3, 0, "hop limit reached 0"},
    {3, 1, "fragments missing"},
    {4, kAnyCode, "parameter problem"},
    {4, 0, "erroneous header field"},
    {4, 1, "unknown next header"},
    {4, 2, "unknown option"},
    {128, kAnyCode, "echo request"},
    {129, kAnyCode, "echo reply"},
    {130, kAnyCode, "multicast listener query"},
    {131, kAnyCode, "multicast listener report"},
    {132, kAnyCode, "multicast listener done"},
    {133, kAnyCode, "router solicitation"},
    {134, kAnyCode, "router advertisement"},
    {135, kAnyCode, "neighbour solicitation"},
    {136, kAnyCode, "neighbour advertisement"},
    {137, kAnyCode, "redirect"},
    {143, kAnyCode, "multicast listener report v2"},
}};

std::string_view find(std::span<const IcmpRow> rows, std::uint8_t type, int code) {
  for (const auto& row : rows) {
    if (row.type == type && row.code == code) return row.words;
  }
  return {};
}

}  // namespace

const ProtocolName* protocol_name(std::uint8_t number) {
  for (const auto& protocol : kProtocols) {
    if (protocol.number == number) return &protocol;
  }
  return nullptr;
}

std::span<const TcpFlag> tcp_flags() { return kTcpFlags; }

IcmpWords icmp_words(std::uint8_t protocol, std::uint8_t type, std::uint8_t code) {
  const std::span<const IcmpRow> rows = protocol == IPPROTO_ICMP
                                            ? std::span<const IcmpRow>(kIcmpRows)
                                            : std::span<const IcmpRow>(kIcmpv6Rows);
  return {find(rows, type, kAnyCode), find(rows, type, code)};
}

}  // namespace dptrace
