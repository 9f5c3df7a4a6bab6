#include "explain/reply_ways.hpp"

#include <netinet/in.h>

#include <cstring>

#include "model/flow.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;
// The devices below see a packet within this; a later one may be another in the same memory.
constexpr std::uint64_t kSamePacketNs = 10'000'000;
// Whoever makes ever new devices gets no more room than this.
constexpr std::size_t kWorking = 1024;

bool is_receive(std::uint8_t point) {
  return point == DPT_POINT_TC_INGRESS || point == DPT_POINT_DEVICE_RECEIVE;
}

bool is_transmit(std::uint8_t point) {
  return point == DPT_POINT_TC_EGRESS || point == DPT_POINT_DEVICE_TRANSMIT;
}

std::uint8_t handshake(const dpt_flow& flow) { return flow.tcp_flags & (kSyn | kAck); }

}  // namespace

ReplyWays::Key ReplyWays::key_of(const dpt_hop& hop, bool by_client) {
  const dpt_flow& flow = hop.flow;
  struct {
    std::uint32_t netns;
    dpt_address client, server;
    std::uint16_t client_port, server_port;
  } parts{hop.netns, flow.source, flow.destination, flow.l4.port.source, flow.l4.port.destination};
  if (!by_client) {
    std::swap(parts.client, parts.server);
    std::swap(parts.client_port, parts.server_port);
  }
  Key key;
  static_assert(sizeof parts == sizeof key);
  std::memcpy(key.data(), &parts, sizeof key);
  return key;
}

bool ReplyWays::wants(const dpt_hop& hop) const {
  if (hop.flow.protocol != IPPROTO_TCP || hop.tunnel.kind != DPT_TUNNEL_NONE ||
      is_later_fragment(hop.flow))
    return false;
  if (is_transmit(hop.point)) return handshake(hop.flow) == (kSyn | kAck);
  return is_receive(hop.point) && (handshake(hop.flow) == kSyn || has_crossed_);
}

std::optional<std::uint32_t> ReplyWays::see(const dpt_hop& hop) {
  if (is_transmit(hop.point)) return see_answer(hop);
  if (handshake(hop.flow) == kSyn)
    see_request(hop);
  else
    see_more(hop);
  return {};
}

void ReplyWays::see_request(const dpt_hop& hop) {
  const Key key = key_of(hop, true);
  const Request* before = requests_.find(key);
  Request request;
  if (before != nullptr && before->sequence == hop.flow.sequence) request = *before;
  request.sequence = hop.flow.sequence;
  if (request.first_by == 0) request.first_by = hop.ifindex;
  request.again |= hop.ifindex == request.first_by && request.answered_by != 0;
  request.came_by = hop.ifindex;
  requests_.put(key, request);
}

const ReplyWays::Request* ReplyWays::answered(const dpt_hop& hop) const {
  const Request* request = requests_.find(key_of(hop, false));
  const bool is_its = request != nullptr && hop.flow.acknowledgment == request->sequence + 1;
  return is_its ? request : nullptr;
}

std::uint32_t ReplyWays::asked_by(const dpt_hop& answer) const {
  const bool may_be_one = answer.flow.protocol == IPPROTO_TCP &&
                          handshake(answer.flow) == (kSyn | kAck) &&
                          answer.tunnel.kind == DPT_TUNNEL_NONE;
  const Request* request = may_be_one ? answered(answer) : nullptr;
  return request == nullptr ? 0 : request->came_by;
}

std::optional<std::uint32_t> ReplyWays::see_answer(const dpt_hop& hop) {
  const Request* before = answered(hop);
  if (before == nullptr) return {};
  Request request = *before;
  const bool is_below =
      hop.skb == request.answer_skb && hop.event.time_ns < request.answer_ns + kSamePacketNs;
  if (!is_below) {
    request.in_vain = request.again && request.answered_by == hop.ifindex &&
                      request.came_by != hop.ifindex &&
                      !working_.contains({hop.netns, {request.came_by, hop.ifindex}});
    if (request.answered_by != hop.ifindex) request.again = false;
    request.answered_by = hop.ifindex;
    has_crossed_ |= request.came_by != hop.ifindex;
  }
  request.answer_skb = hop.skb;
  request.answer_ns = hop.event.time_ns;
  requests_.put(key_of(hop, false), request);
  return request.in_vain ? std::optional(request.came_by) : std::nullopt;
}

// What a client sends after its request shows that an answer has arrived.
void ReplyWays::see_more(const dpt_hop& hop) {
  const Request* request = requests_.find(key_of(hop, true));
  if (request == nullptr || request->answered_by == 0 || request->answered_by == request->came_by)
    return;
  if (working_.size() >= kWorking) working_.clear();
  working_.insert({hop.netns, {request->came_by, request->answered_by}});
}

}  // namespace dptrace
