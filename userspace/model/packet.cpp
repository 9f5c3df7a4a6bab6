#include "model/packet.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

std::string_view verdict_name(Verdict verdict) {
  constexpr std::array<std::string_view, kVerdicts> kNames = {"delivered", "left-node", "dropped",
                                                              "stolen", "unfinished"};
  return kNames[static_cast<std::size_t>(verdict)];
}

std::string_view point_name(std::uint8_t point) {
  switch (point) {
#define DPT_POINT(id, value, name, help) \
  case value:                            \
    return name;
#include "dptrace/points.def"
#undef DPT_POINT
    default:
      return {};
  }
}

const dpt_flow& Packet::flow() const {
  const auto known =
      std::find_if(hops.begin(), hops.end(), [](const Hop& hop) { return hop.flow.family != 0; });
  return known == hops.end() ? hops.front().flow : known->flow;
}

bool lost_anything(const Packet& packet) {
  return packet.verdict == Verdict::kDropped ||
         std::any_of(packet.drops.begin(), packet.drops.end(),
                     [](const Drop& drop) { return drop.loss; });
}

}  // namespace dptrace
