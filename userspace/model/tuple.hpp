// A tuple says between whom a packet is, as its header says at one point of its way.
#pragma once

#include <cstdint>

#include "dptrace/event.h"
#include "model/hash.hpp"

namespace dptrace {

struct Tuple {
  dpt_address source{};
  dpt_address destination{};
  std::uint16_t source_port = 0;       ///< in both, the id of an echo
  std::uint16_t destination_port = 0;  ///< 0 for protocols without ports and for later fragments
};

Tuple tuple_of(const dpt_flow& flow);
bool same(const Tuple& a, const Tuple& b);
bool same_addresses(const Tuple& a, const Tuple& b);
/// True when `b` is the tuple of a packet that goes the other way than one with `a`.
bool reversed(const Tuple& a, const Tuple& b);

std::uint64_t mix(std::uint64_t hash, const Tuple& tuple);

}  // namespace dptrace
