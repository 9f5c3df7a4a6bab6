// Departures are packets that left the node in vain as it seems: requests that nobody may answer,
// and answers that take another way than their requests. Nothing drops them here.
#pragma once

#include <optional>

#include "explain/drop_facts.hpp"
#include "explain/reply_ways.hpp"
#include "model/explanation.hpp"

namespace dptrace {

/// What is to be asked of a packet at this hop. Nothing unless the packet came from a pod or
/// another host, leaves by a device that may lead out, in no tunnel, and is a request that asks for
/// an answer, or an answer of which .ways tells that it leaves in vain.
std::optional<DropFacts> departure_facts(const dpt_hop& hop, const Names& names, ReplyWays& ways);

/// Asks the netns that the calling thread is in. Nothing when the node does not show why nobody
/// should answer.
std::optional<Explanation> explain_departure_here(const DropFacts& departure);

}  // namespace dptrace
