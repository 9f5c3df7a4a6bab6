#include "timeline/connections.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cstring>

#include "verdict/extent.hpp"

namespace dptrace {

namespace {

// Sequence numbers wrap.
bool is_after(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) > 0; }

bool is_segment(const dpt_flow& flow) {
  return flow.protocol == IPPROTO_TCP && flow.family != 0 && !is_later_fragment(flow);
}

std::uint32_t payload_of(const dpt_flow& flow) {
  // A header whose length was not read is assumed to have the time stamp option, as most segments
  // have.
  constexpr std::uint32_t kTimestamps = 12;
  if (flow.headers != 0) return tcp_payload(flow);
  // A SYN has more options than other segments, and hardly ever data.
  if ((flow.tcp_flags & TH_SYN) != 0) return 0;
  const std::uint32_t headers = (flow.family == 4 ? 20 : 40) + sizeof(tcphdr) + kTimestamps;
  return flow.length > headers ? flow.length - headers : 0;
}

// The number of sequence numbers that the segment takes up by its data, its SYN and its FIN.
std::uint32_t extent_in_sequence(const dpt_flow& flow) {
  return payload_of(flow) + ((flow.tcp_flags & TH_SYN) != 0) + ((flow.tcp_flags & TH_FIN) != 0);
}

}  // namespace

Connections::Key Connections::key_of(const Place& end, const Place& peer) {
  Key key;
  std::memcpy(key.data(), &end.address, 16);
  std::memcpy(key.data() + 16, &peer.address, 16);
  std::memcpy(key.data() + 32, &end.port, 2);
  std::memcpy(key.data() + 34, &peer.port, 2);
  return key;
}

Connections::Request Connections::request_of(const Place& client, std::uint32_t sequence) {
  Request request;
  std::memcpy(request.data(), &client.address, 16);
  std::memcpy(request.data() + 16, &client.port, 2);
  std::memcpy(request.data() + 18, &sequence, 4);
  return request;
}

Connections::Key Connections::known(const Key& key) const {
  const Key* first = first_names_.find(key);
  return first == nullptr ? key : *first;
}

Connections::Key Connections::sender_key(const dpt_flow& flow) const {
  return known(
      key_of({flow.source, flow.l4.port.source}, {flow.destination, flow.l4.port.destination}));
}

Connections::Key Connections::receiver_key(const dpt_flow& flow) const {
  return known(
      key_of({flow.destination, flow.l4.port.destination}, {flow.source, flow.l4.port.source}));
}

void Connections::note_request(const dpt_flow& flow) {
  requests_.put(request_of({flow.source, flow.l4.port.source}, flow.sequence),
                {flow.destination, flow.l4.port.destination});
}

// An answer tells by the number that it acknowledges which request it answers, whatever source
// address NAT has given it.
void Connections::note_answer(const dpt_flow& flow) {
  const Place client{flow.destination, flow.l4.port.destination};
  const Place server{flow.source, flow.l4.port.source};
  const End* sender = ends_.find(key_of(client, server));
  if (sender != nullptr && sender->first == flow.acknowledgment - 1) return;
  const Place* asked = requests_.find(request_of(client, flow.acknowledgment - 1));
  if (asked == nullptr) return;
  first_names_.put(key_of(client, server), key_of(client, *asked));
  first_names_.put(key_of(server, client), key_of(*asked, client));
}

void Connections::note(const dpt_flow& flow) {
  if (!is_segment(flow)) return;
  const bool answers = (flow.tcp_flags & TH_ACK) != 0 && (flow.tcp_flags & (TH_SYN | TH_RST)) != 0;
  if (is_request(flow)) note_request(flow);
  if (answers) note_answer(flow);
  const Key key = sender_key(flow);
  const End* before = ends_.find(key);
  End end = before == nullptr ? End{} : *before;
  if ((flow.tcp_flags & TH_SYN) != 0) {
    // A SYN with another sequence number begins a new connection between the same ports; a repeated
    // SYN does not.
    if (!end.has_first || end.first != flow.sequence) end = {};
    end.first = flow.sequence;
    end.has_first = true;
  }
  const std::uint32_t sent = flow.sequence + extent_in_sequence(flow);
  if (!end.has_sent || is_after(sent, end.sent)) end.sent = sent;
  end.has_sent = true;
  // A RST acknowledges also the data that it refuses, so its acknowledgment is no sign of an
  // arrival.
  if ((flow.tcp_flags & TH_ACK) != 0 && (flow.tcp_flags & TH_RST) == 0 &&
      (!end.has_acknowledged || is_after(flow.acknowledgment, end.acknowledged))) {
    end.acknowledged = flow.acknowledgment;
    end.has_acknowledged = true;
  }
  if ((flow.tcp_flags & TH_FIN) != 0) end.closed = true;
  if ((flow.tcp_flags & TH_RST) != 0) end.reset = true;
  ends_.put(key, end);
}

const Connections::End* Connections::sender_of(const dpt_flow& flow) const {
  return is_segment(flow) ? ends_.find(sender_key(flow)) : nullptr;
}

const Connections::End* Connections::receiver_of(const dpt_flow& flow) const {
  return is_segment(flow) ? ends_.find(receiver_key(flow)) : nullptr;
}

bool Connections::is_retransmission(const dpt_flow& flow) const {
  // In a segment whose header length was not read, options (SACK) would be taken for data.
  if (flow.headers == 0 && (flow.tcp_flags & TH_SYN) == 0) return false;
  const End* sender = sender_of(flow);
  const std::uint32_t extent = is_segment(flow) ? extent_in_sequence(flow) : 0;
  if (sender == nullptr || !sender->has_sent || extent == 0) return false;
  return !is_after(flow.sequence + extent, sender->sent);
}

bool Connections::is_request(const dpt_flow& flow) {
  return is_segment(flow) && (flow.tcp_flags & (TH_SYN | TH_ACK)) == TH_SYN;
}

bool Connections::has_answered(const dpt_flow& flow) const {
  const End* receiver = receiver_of(flow);
  if (receiver == nullptr) return false;
  return receiver->reset ||
         (receiver->has_acknowledged && !is_after(flow.sequence + 1, receiver->acknowledged));
}

bool Connections::had(const dpt_flow& flow) const {
  const End* receiver = receiver_of(flow);
  if (receiver == nullptr || !receiver->has_acknowledged) return false;
  const std::uint32_t extent = extent_in_sequence(flow);
  return extent != 0 && !is_after(flow.sequence + extent, receiver->acknowledged);
}

bool Connections::meets_time_wait(const dpt_flow& flow) const {
  const End* receiver = receiver_of(flow);
  return receiver != nullptr && receiver->closed && receiver->has_acknowledged &&
         !is_after(flow.sequence + payload_of(flow), receiver->acknowledged);
}

bool Connections::receiver_has_left(const dpt_flow& flow) const {
  const End* receiver = receiver_of(flow);
  const End* sender = sender_of(flow);
  return receiver != nullptr && receiver->has_acknowledged &&
         (receiver->closed || receiver->reset) && (sender == nullptr || !sender->closed);
}

bool Connections::is_afterword(const dpt_flow& flow) const {
  if (!is_segment(flow) || (flow.tcp_flags & TH_SYN) != 0 || payload_of(flow) != 0) return false;
  const End* receiver = receiver_of(flow);
  const End* sender = sender_of(flow);
  // The RST may be the answer to this very packet, if the packet belonged to no connection.
  const bool was_known = receiver != nullptr && receiver->has_acknowledged;
  const bool was_reset = was_known && (receiver->reset || (sender != nullptr && sender->reset));
  const bool both_closed =
      receiver != nullptr && receiver->closed && sender != nullptr && sender->closed;
  return both_closed || (was_reset && (flow.tcp_flags & TH_RST) == 0);
}

bool Connections::resets_known(const dpt_flow& flow) const {
  const End* receiver = receiver_of(flow);
  return receiver != nullptr && (flow.tcp_flags & TH_RST) != 0 && receiver->has_acknowledged;
}

}  // namespace dptrace
