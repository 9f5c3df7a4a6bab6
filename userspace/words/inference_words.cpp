#include "words/inference_words.hpp"

#include <algorithm>

#include "verdict/departure.hpp"
#include "words/cause_words.hpp"

namespace dptrace {

namespace {

// The flow with which the packet came to its socket: NAT has been done.
const dpt_flow& flow_at_socket(const Packet& packet) {
  const auto hop = std::find_if(packet.hops.rbegin(), packet.hops.rend(), [](const Hop& candidate) {
    return candidate.point == DPT_POINT_SOCKET && candidate.flow.family != 0;
  });
  return hop == packet.hops.rend() ? packet.flow() : hop->flow;
}

std::string end_text(const dpt_flow& flow) {
  const std::string address = Address(flow.destination).text();
  return flow.family == 6 ? fmt::format("[{}]:{}", address, flow.l4.port.destination)
                          : fmt::format("{}:{}", address, flow.l4.port.destination);
}

Explanation by_full_listener(const Packet& packet, const ListenQueue& queue) {
  Explanation explanation;
  explanation.cause = "listen-queue-full";
  explanation.sentence =
      "the listener's queue of connections is full: its program accepts none, or too slowly";
  explanation.evidence.push_back(fmt::format(
      "TCP listener {}: {} {} to be accepted, its backlog is {}", end_text(flow_at_socket(packet)),
      queue.waiting, queue.waiting == 1 ? "connection waits" : "connections wait", queue.limit));
  // The program may have asked listen() for exactly as much, so this need not be what limits it.
  if (queue.limit >= queue.somaxconn)
    explanation.evidence.push_back(
        fmt::format("net.core.somaxconn = {}, which allows no more", queue.somaxconn));
  return explanation;
}

}  // namespace

std::optional<Explanation> inference_of(const Packet& packet, const Names& names) {
  // A lost event may have shown that the packet was answered.
  if (packet.drop || packet.incomplete != Incomplete::kNo) return {};
  if (packet.unanswered && packet.full_listener)
    return by_full_listener(packet, *packet.full_listener);
  const bool has_left = packet.verdict == Verdict::kLeftNode;
  const auto* departure = has_left ? departure_of(packet, names) : nullptr;
  if (departure == nullptr) return {};
  if (refutation_of(*departure) == Refutation::kNothing) return *departure;
  if (!packet.unanswered) return {};
  Explanation explanation = *departure;
  explanation.evidence.emplace_back("nothing came back within a second");
  return explanation;
}

void append_inference(Buffer& out, const Packet& packet, const Names& names, const Paint& paint) {
  if (const auto inference = inference_of(packet, names))
    append_explanation(out, *inference, paint);
}

}  // namespace dptrace
