// A mirrored copy (tc mirred) says nothing about the packet: whoever takes it, the original has a
// way of its own. The copies of a bridge's flood do say something: the packet may arrive by any of
// them.
#pragma once

#include <cstddef>

#include "model/names.hpp"
#include "verdict/live.hpp"

namespace dptrace {

bool is_mirror(const Live& live, std::size_t branch, const Names& names);

}  // namespace dptrace
