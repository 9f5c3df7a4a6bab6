#include "timeline/sighting.hpp"

#include <linux/if_packet.h>
#include <linux/netfilter.h>

#include "model/flow.hpp"

namespace dptrace {

namespace {

bool is_transmit(std::uint8_t point) {
  return point == DPT_POINT_TC_EGRESS || point == DPT_POINT_DEVICE_TRANSMIT;
}

bool is_receive(std::uint8_t point) {
  return point == DPT_POINT_TC_INGRESS || point == DPT_POINT_DEVICE_RECEIVE;
}

}  // namespace

Sighting sighting_of(const dpt_hop& hop) {
  Sighting seen{hop, tuple_of(hop.flow), extent_of(hop.flow)};
  const bool made_here = hop.iif == 0 && hop.tunnel.kind == DPT_TUNNEL_NONE;
  seen.is_crossing = is_transmit(hop.point) || is_receive(hop.point);
  seen.is_free = hop.point == DPT_POINT_DROP;
  seen.at_sender = made_here && (is_transmit(hop.point) || seen.is_free);
  seen.to_many = hop.packet_type == PACKET_BROADCAST || hop.packet_type == PACKET_MULTICAST ||
                 is_multicast(hop.flow);
  seen.has_flow = hop.flow.family != 0;
  return seen;
}

Sighting sighting_of(const dpt_netfilter& record) {
  Sighting seen = sighting_of(record.hop);
  // The record of a drop at a hook comes after the record of the free to which the hook led.
  if (record.result < 0) seen.has_flow = false;
  const bool of_ip = record.family == NFPROTO_IPV4 || record.family == NFPROTO_IPV6;
  const bool sends = record.hook == NF_INET_LOCAL_OUT || record.hook == NF_INET_POST_ROUTING;
  seen.at_sender = seen.has_flow && of_ip && sends && record.hop.iif == 0 &&
                   record.hop.tunnel.kind == DPT_TUNNEL_NONE;
  return seen;
}

}  // namespace dptrace
