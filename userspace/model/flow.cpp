#include "model/flow.hpp"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>

namespace dptrace {

namespace {

constexpr std::uint32_t kFragmentUnit = 8;

}  // namespace

bool has_ports(std::uint8_t protocol) {
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

bool is_icmp(std::uint8_t protocol) {
  return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

bool is_echo(std::uint8_t protocol, std::uint8_t type) {
  if (protocol == IPPROTO_ICMP) return type == ICMP_ECHO || type == ICMP_ECHOREPLY;
  return protocol == IPPROTO_ICMPV6 && (type == ICMP6_ECHO_REQUEST || type == ICMP6_ECHO_REPLY);
}

bool is_multicast(const dpt_flow& flow) {
  const auto* bytes = flow.destination.bytes;
  if (flow.family == 6) return bytes[0] == 0xff;
  return flow.family == 4 && ((bytes[12] & 0xf0) == 0xe0 || bytes[12] == 0xff);
}

bool is_fragment(const dpt_flow& flow) { return (flow.fragment & (IP_MF | IP_OFFMASK)) != 0; }

bool is_later_fragment(const dpt_flow& flow) { return fragment_offset(flow) != 0; }

bool is_last_fragment(const dpt_flow& flow) {
  return is_later_fragment(flow) && !more_fragments(flow);
}

std::uint32_t fragment_offset(const dpt_flow& flow) {
  return (flow.fragment & IP_OFFMASK) * kFragmentUnit;
}

bool more_fragments(const dpt_flow& flow) { return (flow.fragment & IP_MF) != 0; }

}  // namespace dptrace
