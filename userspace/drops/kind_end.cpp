#include "drops/kind_end.hpp"

#include "verdict/losses.hpp"

namespace dptrace {

Freed freed_of(const DropKind& kind, const Names& names) {
  Freed freed;
  freed.function = names.function(kind.location);
  freed.reason = reason_for_rules(kind.reason, names);
  freed.has_reason = kind.reason.has_value();
  freed.family = kind.family;
  freed.protocol = kind.protocol;
  freed.icmp_type = kind.icmp_type;
  freed.segment = kind.segment;
  freed.over = kind.over;
  freed.half_open = kind.half_open;
  freed.packet_type = kind.packet_type;
  freed.multicast = kind.multicast;
  freed.is_packet = kind.family != 0 || kind.ethertype != 0 || kind.interface.index != 0;
  freed.flooded = is_flooded(kind.flooded, names.interface(kind.interface));
  return freed;
}

End end_of(const DropKind& kind, const Names& names) {
  // Nothing is known of folded kinds: they count as losses, like kinds that found no room at all.
  return kind.folded ? End::kLoss : end_of(freed_of(kind, names));
}

}  // namespace dptrace
