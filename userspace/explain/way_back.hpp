// Answers that leave by another device than the one that their requests came by, in vain.
#pragma once

#include "explain/drop_facts.hpp"
#include "model/explanation.hpp"

namespace dptrace {

/// What is said of an answer that left the node so. Asks the netns that the calling thread is in.
Explanation takes_another_way(const DropFacts& reply);

/// Adds to what is said of an answer that died on such a way by which device its request came, and
/// the route by which it would leave by that one. Nothing for other packets.
void add_way_back(const DropFacts& drop, Explanation& explanation);

}  // namespace dptrace
