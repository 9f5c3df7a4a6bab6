// Causes of sockets: nobody takes the packet, or cannot, or it is damaged.
#include "node/state/sockets.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <set>

#include "explain/cause.hpp"
#include "node/state/socket_owner.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kSyn = 0x02, kAck = 0x10;

bool is_tcp(const DropFacts& drop) { return drop.protocol == IPPROTO_TCP; }
bool is_udp(const DropFacts& drop) { return drop.protocol == IPPROTO_UDP; }
std::string_view protocol_of(const DropFacts& drop) { return is_tcp(drop) ? "TCP" : "UDP"; }

bool opens(const DropFacts& drop) { return (drop.tcp_flags & (kSyn | kAck)) == kSyn; }

std::string end_text(const DropFacts& drop, const BoundSocket& socket) {
  const std::string address =
      socket.address.is_ipv4() ? socket.address.text() : fmt::format("[{}]", socket.address.text());
  return fmt::format("{}:{}", address, drop.port);
}

// Where the port is open: the first few ends, as whoever binds many may be anybody.
std::string ends_of(const DropFacts& drop, const std::vector<BoundSocket>& sockets) {
  constexpr std::size_t kShown = 3;
  std::set<std::string> ends;
  for (const auto& socket : sockets) ends.insert(end_text(drop, socket));
  std::string text;
  std::size_t shown = 0;
  for (const auto& end : ends) {
    if (shown++ == kShown) return text + fmt::format(" and {} more", ends.size() - kShown);
    text += (text.empty() ? "" : ", ") + end;
  }
  return text;
}

// ---- no-listener

bool may_be_unheard(const DropFacts& drop) {
  constexpr std::array kFunctions = {
      "tcp_v4_rcv", "tcp_v6_rcv", "__udp4_lib_rcv",      "__udp6_lib_rcv",
      "udp_rcv",    "udpv6_rcv",  "udp_unicast_rcv_skb", "udp6_unicast_rcv_skb"};
  if ((!is_tcp(drop) && !is_udp(drop)) || drop.port == 0) return false;
  return drop.reason == "NO_SOCKET" ||
         (drop.reason.empty() &&
          std::ranges::any_of(kFunctions, [&](const char* name) { return drop.by(name); }));
}

// True when the socket takes packets to the drop's destination. One of IPv6 for any address may
// take IPv4, too; the kernel's tables do not say which does.
bool takes(const BoundSocket& socket, const DropFacts& drop) {
  if (socket.any) return drop.family == 6 ? socket.ipv6 : true;
  return socket.address == drop.destination;
}

std::optional<Explanation> prove_unheard(const DropFacts& drop) {
  const auto sockets = sockets_of_port(drop.protocol, drop.port);
  if (!sockets) return {};
  if (std::ranges::any_of(*sockets, [&](const BoundSocket& one) { return takes(one, drop); }))
    return {};
  Explanation explanation;
  const std::string address = drop.destination.text();
  const bool asks = is_udp(drop) || opens(drop);
  // Only the kernel's reason says that no connection takes the segment.
  if (!asks && drop.reason.empty()) return {};
  if (asks && !sockets->empty()) {
    const auto ends = ends_of(drop, *sockets);
    explanation.sentence = fmt::format("the server listens on {} only, not on {}", ends, address);
    explanation.evidence.push_back(fmt::format("{} socket: {}", protocol_of(drop), ends));
    return explanation;
  }
  explanation.sentence = fmt::format("{} listens on {} port {} of {}",
                                     asks ? "nothing" : "no connection takes it, and nothing",
                                     protocol_of(drop), drop.port, address);
  explanation.evidence.push_back(
      sockets->empty() ? fmt::format("no {} socket has port {}{}", protocol_of(drop), drop.port,
                                     is_tcp(drop) ? " and listens" : "")
                       : fmt::format("{} socket: {}", protocol_of(drop), ends_of(drop, *sockets)));
  return explanation;
}

// Appends which programs have the sockets open.
void add_programs(const std::vector<BoundSocket>& sockets, Explanation& explanation) {
  constexpr std::size_t kMost = 3;
  std::vector<std::string> owners;
  for (const BoundSocket& socket : sockets) {
    for (std::string& owner : socket_owners(socket.inode, kMost - owners.size())) {
      if (std::ranges::find(owners, owner) == owners.end()) owners.push_back(std::move(owner));
    }
    if (owners.size() == kMost) break;
  }
  if (!owners.empty())
    explanation.evidence.push_back(fmt::format("program: {}{}", fmt::join(owners, ", "),
                                               owners.size() == kMost ? ", perhaps more" : ""));
}

// ---- listen-queue-full

// The last segment of a handshake finds no room: the kernel's reason (6.17 and later) proves it. A
// request that finds none raises no drop, see words/inference_words.
bool may_be_overflow(const DropFacts& drop) {
  return is_tcp(drop) && drop.reason == "TCP_LISTEN_OVERFLOW";
}

std::optional<Explanation> prove_overflow(const DropFacts& drop) {
  Explanation explanation{
      {},
      fmt::format("the queue of connections of the listener on TCP port {} is full: its program "
                  "accepts none, or too slowly",
                  drop.port),
      {"the kernel says TCP_LISTEN_OVERFLOW"},
      {}};
  auto sockets = sockets_of_port(drop.protocol, drop.port);
  if (!sockets) return explanation;
  std::erase_if(*sockets, [&](const BoundSocket& one) { return !takes(one, drop); });
  add_programs(*sockets, explanation);
  return explanation;
}

// ---- socket-buffer-full

bool may_be_full(const DropFacts& drop) {
  if (!is_udp(drop) || drop.port == 0) return false;
  return drop.reason == "SOCKET_RCVBUFF" ||
         (drop.reason.empty() &&
          (drop.by("udp_queue_rcv_one_skb") || drop.by("udpv6_queue_rcv_one_skb") ||
           drop.by("__udp_enqueue_schedule_skb")));
}

std::optional<Explanation> prove_full(const DropFacts& drop) {
  auto sockets = sockets_of_port(drop.protocol, drop.port);
  if (!sockets) return {};
  // A kernel without reasons may have dropped it at this place for another one, such as a filter of
  // the socket: then nothing waits.
  std::erase_if(*sockets, [&](const BoundSocket& one) {
    return !takes(one, drop) || one.drops == 0 || (drop.reason.empty() && one.waiting == 0);
  });
  // Of several that share the port it is the fullest.
  const auto full = std::ranges::max_element(*sockets, {}, &BoundSocket::waiting);
  if (full == sockets->end()) return {};
  Explanation explanation{
      {},
      fmt::format("the program at UDP port {} reads too slowly: its socket has no room", drop.port),
      {fmt::format("UDP socket {}: {} bytes wait, {} packets were dropped so far",
                   end_text(drop, *full), full->waiting, full->drops)},
      {}};
  add_programs({*full}, explanation);
  return explanation;
}

// ---- bad-checksum

bool is_damaged(const DropFacts& drop) {
  return drop.reason == "TCP_CSUM" || drop.reason == "UDP_CSUM" || drop.reason == "ICMP_CSUM" ||
         drop.reason == "IP_CSUM";
}

// Only who drops for the checksum gives the reason, so that it proves itself.
std::optional<Explanation> prove_damaged(const DropFacts& drop) {
  const std::string_view layer = std::string_view(drop.reason).substr(0, drop.reason.find('_'));
  return Explanation{{},
                     fmt::format("its {} checksum is wrong where {} hands it over", layer,
                                 device_name(drop.device)),
                     {fmt::format("the kernel has computed it and says {}", drop.reason)},
                     {}};
}

constexpr std::array kCauses = {
    Cause{"bad-checksum", is_damaged, prove_damaged},
    Cause{"no-listener", may_be_unheard, prove_unheard},
    Cause{"listen-queue-full", may_be_overflow, prove_overflow},
    Cause{"socket-buffer-full", may_be_full, prove_full},
};

}  // namespace

std::span<const Cause> socket_causes() { return kCauses; }

}  // namespace dptrace
