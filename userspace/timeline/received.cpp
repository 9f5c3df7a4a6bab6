#include "timeline/received.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstring>
#include <utility>

namespace dptrace {

namespace {

constexpr std::size_t kConnections = 4096;
// The time stamps with what aligns them; other options only make the payload smaller.
constexpr std::uint32_t kTimestamps = 12;

// Sequence numbers wrap.
bool is_after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

std::uint32_t end_of_data(const dpt_flow& flow) {
  const std::uint32_t headers = (flow.family == 4 ? 20 : 40) + sizeof(tcphdr) + kTimestamps;
  const std::uint32_t payload = flow.length > headers ? flow.length - headers : 0;
  return flow.sequence + payload;
}

std::uint32_t end_of_payload(const dpt_flow& flow) {
  const std::uint32_t flags = ((flow.tcp_flags & TH_SYN) != 0) + ((flow.tcp_flags & TH_FIN) != 0);
  return end_of_data(flow) + flags;
}

}  // namespace

Received::Key Received::key_of(const dpt_address& receiver, std::uint16_t receiver_port,
                               const dpt_address& sender, std::uint16_t sender_port) {
  Key key;
  std::memcpy(key.data(), &receiver, 16);
  std::memcpy(key.data() + 16, &sender, 16);
  std::memcpy(key.data() + 32, &receiver_port, 2);
  std::memcpy(key.data() + 34, &sender_port, 2);
  return key;
}

void Received::note(const dpt_flow& flow) {
  if (flow.protocol != IPPROTO_TCP) return;
  const Key key =
      key_of(flow.source, flow.l4.port.source, flow.destination, flow.l4.port.destination);
  if ((flow.tcp_flags & TH_SYN) != 0) {  // begins another connection
    recent_.erase(key);
    older_.erase(key);
  }
  if ((flow.tcp_flags & TH_ACK) == 0) return;
  if (recent_.size() >= kConnections && !recent_.contains(key)) {
    older_ = std::exchange(recent_, {});
  }
  const auto older = older_.find(key);
  const Receiver before =
      older == older_.end() ? Receiver{.acknowledged = flow.acknowledgment} : older->second;
  auto& receiver = recent_.try_emplace(key, before).first->second;
  if (is_after(flow.acknowledgment, receiver.acknowledged))
    receiver.acknowledged = flow.acknowledgment;
  if ((flow.tcp_flags & TH_FIN) != 0) receiver.closed = true;
}

const Received::Receiver* Received::receiver_of(const dpt_flow& flow) const {
  if (flow.protocol != IPPROTO_TCP) return nullptr;
  const Key key =
      key_of(flow.destination, flow.l4.port.destination, flow.source, flow.l4.port.source);
  const auto recent = recent_.find(key);
  if (recent != recent_.end()) return &recent->second;
  const auto older = older_.find(key);
  return older == older_.end() ? nullptr : &older->second;
}

bool Received::had(const dpt_flow& flow) const {
  const auto* receiver = receiver_of(flow);
  return receiver != nullptr && !is_after(end_of_payload(flow), receiver->acknowledged);
}

bool Received::meets_time_wait(const dpt_flow& flow) const {
  const auto* receiver = receiver_of(flow);
  return receiver != nullptr && receiver->closed &&
         !is_after(end_of_data(flow), receiver->acknowledged);
}

}  // namespace dptrace
