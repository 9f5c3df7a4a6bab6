// What it means that a rule dropped this packet: more than that a rule did, where the packet is one
// that others depend on.
#pragma once

#include <string_view>

#include "model/packet.hpp"

namespace dptrace {

struct RuleCause {
  std::string_view name;    ///< an identifier of docs/causes
  std::string_view effect;  ///< what follows from the loss, as a part of a sentence; empty: nothing
};

/// The cause of a drop by a rule that no owner gives another. `flow` is the packet as it died.
RuleCause rule_cause(const DecidingRule& rule, const Drop& drop, const dpt_flow& flow);

}  // namespace dptrace
