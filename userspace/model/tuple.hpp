// Between whom a packet is, as its header says at one point of its way.
#pragma once

#include <cstdint>

#include "dptrace/event.h"
#include "model/hash.hpp"

namespace dptrace {

struct Tuple {
  dpt_address source{};
  dpt_address destination{};
  std::uint16_t source_port = 0;       ///< of an echo its id, in both
  std::uint16_t destination_port = 0;  ///< 0 of protocols without ports and of later fragments
};

Tuple tuple_of(const dpt_flow& flow);
bool same(const Tuple& a, const Tuple& b);
bool same_addresses(const Tuple& a, const Tuple& b);
/// Of a packet that goes the other way.
bool reversed(const Tuple& a, const Tuple& b);

std::uint64_t mix(std::uint64_t hash, const Tuple& tuple);

}  // namespace dptrace
