// These functions put a kind of drops before the rules of verdict/: a kind tells less than a packet
// that is followed.
#pragma once

#include "drops/drop_table.hpp"
#include "model/end.hpp"
#include "model/names.hpp"
#include "verdict/freed.hpp"

namespace dptrace {

Freed freed_of(const DropKind& kind, const Names& names);

/// Returns the end of the packets of this kind: they are lost, or freed without loss.
End end_of(const DropKind& kind, const Names& names);

}  // namespace dptrace
