#include "verdict/extent.hpp"

#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>

namespace dptrace {

namespace {

constexpr std::uint32_t kUdpHeader = 8;  // bytes; an ICMP header is as long

std::uint32_t shortest_ip_header(const dpt_flow& flow) {
  if (flow.family == 4) return sizeof(iphdr);
  return sizeof(ip6_hdr) + (is_fragment(flow) ? sizeof(ip6_frag) : 0);
}

std::uint32_t ip_header(const dpt_flow& flow) {
  const bool has_short_header = flow.protocol == IPPROTO_UDP || flow.protocol == IPPROTO_ICMP ||
                                flow.protocol == IPPROTO_ICMPV6;
  const std::uint32_t shortest = shortest_ip_header(flow);
  // A later fragment does not tell how long its IP header is, which seldom has options.
  if (!has_short_header || flow.headers < shortest + kUdpHeader) return shortest;
  return flow.headers - kUdpHeader;
}

}  // namespace

std::uint32_t tcp_payload(const dpt_flow& flow) {
  if (flow.protocol != IPPROTO_TCP || flow.family == 0) return 0;
  if (flow.headers != 0) return flow.length > flow.headers ? flow.length - flow.headers : 0;
  // A TCP header whose length was not read may have options, so bytes that may all be options do
  // not count as payload.
  const std::uint32_t headers = shortest_ip_header(flow) + sizeof(tcphdr);
  return flow.length > headers + kTcpOptions ? flow.length - headers : 0;
}

std::uint32_t udp_payload(const dpt_flow& flow) {
  const std::uint32_t headers = ip_header(flow) + kUdpHeader;
  return flow.length > headers ? flow.length - headers : 0;
}

Extent extent_of(const dpt_flow& flow) {
  if (flow.family == 0) return {};
  if (flow.protocol == IPPROTO_TCP && !is_fragment(flow))
    return {Part::Kind::kSegment, flow.sequence, tcp_payload(flow)};
  const std::uint32_t header = ip_header(flow);
  const std::uint32_t length = flow.length > header ? flow.length - header : 0;
  return {Part::Kind::kFragment, fragment_offset(flow), length};
}

}  // namespace dptrace
