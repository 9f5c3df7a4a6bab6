#include "drops/drop_table.hpp"

#include <linux/if_packet.h>

#include <tuple>

namespace dptrace {

bool DropKind::is_for_many() const {
  return multicast || packet_type == PACKET_BROADCAST || packet_type == PACKET_MULTICAST ||
         packet_type == PACKET_LOOPBACK;
}

bool operator<(const DropKind& a, const DropKind& b) {
  const auto fields = [](const DropKind& kind) {
    return std::tie(kind.reason, kind.location, kind.interface, kind.family, kind.protocol,
                    kind.icmp_type, kind.ethertype, kind.pod, kind.packet_type, kind.multicast,
                    kind.flooded, kind.segment, kind.over, kind.half_open);
  };
  return fields(a) < fields(b);
}

bool are_shown_as_one(const DropKind& a, const DropKind& b) {
  const auto fields = [](const DropKind& kind) {
    return std::tie(kind.location, kind.reason, kind.interface, kind.family, kind.protocol,
                    kind.icmp_type, kind.ethertype, kind.pod);
  };
  return fields(a) == fields(b) && a.is_for_many() == b.is_for_many();
}

}  // namespace dptrace
