// A hash of several values is made step by step: mix() adds one value to the hash of those before
// it.
#pragma once

#include <cstdint>

namespace dptrace {

constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
  return hash ^ (hash >> 29);
}

}  // namespace dptrace
