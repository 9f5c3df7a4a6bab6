// The verdict on a packet follows from all that was seen of its skbs. Each byte of the packet must
// arrive by any of the copies that carry it, and only positive evidence makes the packet delivered.
#pragma once

#include "model/names.hpp"
#include "verdict/live.hpp"

namespace dptrace {

struct Judgement {
  Verdict verdict = Verdict::kUnfinished;
  const LiveDrop* drop = nullptr;  ///< the drop that decided, for kDropped
  bool nobody_wanted =
      false;  ///< kUnfinished, and no more events will come: a packet to many that nobody wanted
  bool unanswered = false;     ///< kUnfinished: a listener has it, and has not answered
  bool reader_closed = false;  ///< kDelivered, but nobody will read what it brought
};

Judgement judge(const Live& live, const Names& names);

/// The verdict on one skb of a packet.
Verdict verdict_of(const Branch& branch, const Names& names);

}  // namespace dptrace
