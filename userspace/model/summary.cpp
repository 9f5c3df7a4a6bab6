#include "model/summary.hpp"

#include <set>

namespace dptrace {

namespace {

std::string drop_key(const Drop& drop, const Names& names) {
  if (!drop.reason) return names.function(drop.location);
  const auto found = names.reasons.find(*drop.reason);
  return found == names.reasons.end() ? std::to_string(*drop.reason) : found->second;
}

}  // namespace

void Summary::count(const Packet& packet, const Names& names) {
  ++packets[static_cast<std::size_t>(packet.verdict)];
  if (packet.verdict != Verdict::kDropped && dptrace::lost_anything(packet)) ++lost_copies;
  // Eighteen segments of a packet that die for one reason count as one packet.
  std::set<std::string> reasons;
  if (packet.drop) reasons.insert(drop_key(*packet.drop, names));
  for (const Drop& drop : packet.drops) {
    if (drop.loss) reasons.insert(drop_key(drop, names));
  }
  for (const std::string& reason : reasons) ++drops[reason];
}

}  // namespace dptrace
