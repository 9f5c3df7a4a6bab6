// What became of a packet, from all that was seen of it.
#pragma once

#include "model/names.hpp"
#include "timeline/live.hpp"

namespace dptrace {

struct Judgement {
  Verdict verdict = Verdict::kUnfinished;
  const Drop* drop = nullptr;  ///< the one that ended it, for kDropped
};

/// The hops must be in time order.
Judgement judge(const Live& live, const Names& names);

}  // namespace dptrace
