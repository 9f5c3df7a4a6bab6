// The verdict on a packet follows from all that was seen of its skbs. Each byte of it must arrive,
// by any of the copies that carry it; only positive evidence makes it delivered.
#pragma once

#include "model/names.hpp"
#include "verdict/live.hpp"

namespace dptrace {

struct Judgement {
  Verdict verdict = Verdict::kUnfinished;
  const LiveDrop* drop = nullptr;  ///< the one that decided, for kDropped
  bool nobody_wanted =
      false;                ///< kUnfinished, and nothing is to come: meant for many, of use to none
  bool unanswered = false;  ///< kUnfinished: a listener has it, and has not answered
  bool reader_closed = false;  ///< kDelivered, but nobody will read what it brought
};

Judgement judge(const Live& live, const Names& names);

/// The verdict on one of its skbs.
Verdict verdict_of(const Branch& branch, const Names& names);

}  // namespace dptrace
