// Departures are packets of pods that left the node with the address of their pod, where a rule
// should have given them the node's: nothing drops them here, and nobody may answer them.
#pragma once

#include <optional>

#include "explain/drop_facts.hpp"
#include "model/explanation.hpp"

namespace dptrace {

/// What is to be asked of a packet at this hop. Nothing unless it asks for an answer, leaves by a
/// device that may lead out, in no tunnel, and is from the private address of a pod of this node.
std::optional<DropFacts> departure_facts(const dpt_hop& hop, const Names& names);

/// Asks the netns that the calling thread is in. Nothing unless the packet left by the default
/// route: what lies behind a route of its own may know the pods' addresses.
std::optional<Explanation> explain_departure_here(const DropFacts& departure);

}  // namespace dptrace
