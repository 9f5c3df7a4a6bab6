#include "model/packet.hpp"

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

}  // namespace dptrace
