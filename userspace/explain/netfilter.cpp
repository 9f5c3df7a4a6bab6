// Causes of netfilter that no rule's text tells.
#include <array>

#include "explain/cause.hpp"
#include "node/state/packet_queues.hpp"

namespace dptrace {

namespace {

// ---- queue-without-reader

// The kernel drops here what a rule sends to a queue (NFQUEUE) that has no reader or no room.
bool may_be_queued(const DropFacts& drop) { return drop.reason.empty() && drop.by("nf_queue"); }

// While another queue has a reader, it cannot be told which one the packet was meant for.
std::optional<Explanation> prove_unread(const DropFacts&) {
  const auto queues = read_packet_queues();
  if (!queues || !queues->empty()) return {};
  return Explanation{{},
                     "a rule sends it to a queue (NFQUEUE) that no program reads",
                     {"no program reads a queue of this network namespace"},
                     {}};
}

constexpr std::array kCauses = {
    Cause{"queue-without-reader", may_be_queued, prove_unread},
};

}  // namespace

std::span<const Cause> netfilter_causes() { return kCauses; }

}  // namespace dptrace
