#include "model/losses.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "model/drop_stack.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kEchoReply6 = 129;

// What the rules are about.
struct Freed {
  std::string function;
  std::string_view reason;  // kUnspecified also on kernels without reasons
  std::uint8_t protocol = 0;
  std::uint8_t icmp_type = 0;
  bool multicast = false;
  bool other_host = false;
  bool tcp_fin = false;
  bool has_reason = true;
  bool is_packet = true;  // else an skb of a netlink or unix socket
  bool followed = true;   // its copies are known
};

enum class When : std::uint8_t {
  kAlways,
  kUnfollowed,  // when the packet is followed, its other copies say what became of it
  kTimeWait,    // likewise, and the kernel tells its reasons or the packet ends a connection
};

// Empty and 0: any. The function is one name, or ends with * and is the beginning of several.
struct Harmless {
  std::string_view function;
  std::string_view reason;
  std::uint8_t protocol = 0;
  End end = End::kNothing;
  When when = When::kAlways;
  std::optional<std::uint8_t> icmp_type = std::nullopt;
};

constexpr std::string_view kUnspecified = "NOT_SPECIFIED";

constexpr auto kHarmless = std::to_array<Harmless>({
    // The skbs of a reassembled packet go with the first of them.
    {"skb_release_data", ""},
    // Whatever was still queued when a socket was closed.
    {"skb_queue_purge", ""},
    {"skb_queue_purge_reason", ""},
    {"udp_destruct_common", ""},
    {"udp_destruct_sock", ""},
    {"inet_sock_destruct", ""},
    {"sk_stream_kill_queues", ""},
    {"tcp_disconnect", ""},
    {"", "QUEUE_PURGE"},
    {"", "CONSUMED"},
    // Until 6.1 this is how every ICMPv6 message that was understood ends.
    {"icmpv6_rcv", kUnspecified, IPPROTO_ICMPV6, End::kTaken},
    // The end of a normal close.
    {"tcp_rcv_state_process", kUnspecified, IPPROTO_TCP, End::kTaken},
    {"tcp_time_wait", kUnspecified, IPPROTO_TCP, End::kTaken},
    // What is sent to a connection in TIME_WAIT, as in every close. With a full accept queue a
    // handshake's last ACK ends here too, also without a reason; the counter ListenOverflows tells.
    {"tcp_v4_rcv", kUnspecified, IPPROTO_TCP, End::kTaken, When::kTimeWait},
    {"tcp_v6_rcv", kUnspecified, IPPROTO_TCP, End::kTaken, When::kTimeWait},
    // Keepalive probes repeat a byte on purpose.
    {"", "TCP_OLD_SEQUENCE", IPPROTO_TCP},
    {"", "TCP_INVALID_SEQUENCE", IPPROTO_TCP},
    // So do retransmissions of what has arrived after all.
    {"", "TCP_OLD_DATA", IPPROTO_TCP, End::kTaken},
    {"", "TCP_OFOMERGE", IPPROTO_TCP, End::kTaken},
    {"", "TCP_OLD_ACK", IPPROTO_TCP, End::kTaken},
    {"", "TCP_RFC7323_PAWS_ACK", IPPROTO_TCP, End::kTaken},
    // A bridge floods to ports whose hosts are not meant.
    {"", "OTHERHOST"},
    // A sniffer was too slow for its copy.
    {"packet_rcv*", ""},
    {"tpacket_rcv", ""},
    // Every good ping: its raw socket took a copy, no ping socket wanted the original.
    {"icmp_rcv", "NO_SOCKET", IPPROTO_ICMP, End::kTaken, When::kUnfollowed, kEchoReply},
    {"icmp_rcv", kUnspecified, IPPROTO_ICMP, End::kTaken, When::kUnfollowed, kEchoReply},
    {"ping_rcv", "NO_SOCKET", IPPROTO_ICMP, End::kTaken, When::kUnfollowed, kEchoReply},
    {"ping_rcv", kUnspecified, IPPROTO_ICMP, End::kTaken, When::kUnfollowed, kEchoReply},
    {"icmpv6_rcv", "NO_SOCKET", IPPROTO_ICMPV6, End::kTaken, When::kUnfollowed, kEchoReply6},
    {"ping_rcv", "", IPPROTO_ICMPV6, End::kTaken, When::kUnfollowed, kEchoReply6},
});
static_assert(std::all_of(kHarmless.begin(), kHarmless.end(), [](const Harmless& rule) {
  return !rule.function.empty() || !rule.reason.empty();
}));

// Multicast that nobody wants is no loss. These had somebody who did, or never came to ask.
constexpr auto kLostThoughMulticast = std::to_array<std::string_view>(
    {"NETFILTER_DROP", "QDISC_DROP", "FULL_RING", "CPU_BACKLOG", "NOMEM", "SOCKET_RCVBUFF",
     "PROTO_MEM", "TC_INGRESS", "TC_EGRESS", "XDP", "BPF_CGROUP_EGRESS", "NEIGH_FAILED",
     "DEV_READY", "IP_CSUM", "UDP_CSUM", "ICMP_CSUM", "HDR_TRUNC", "PKT_TOO_BIG"});

bool is_function(std::string_view wanted, std::string_view function) {
  if (wanted.empty()) return true;
  if (wanted.ends_with('*')) return function.starts_with(wanted.substr(0, wanted.size() - 1));
  return source_name(function) == wanted;
}

bool is_time(When when, const Freed& freed) {
  if (when == When::kAlways) return true;
  if (freed.followed) return false;
  return when == When::kUnfollowed || freed.has_reason || freed.tcp_fin;
}

bool applies(const Harmless& rule, const Freed& freed) {
  return is_function(rule.function, freed.function) &&
         (rule.reason.empty() || rule.reason == freed.reason) &&
         (rule.protocol == 0 || rule.protocol == freed.protocol) && is_time(rule.when, freed) &&
         (!rule.icmp_type || *rule.icmp_type == freed.icmp_type);
}

End end_of(const Freed& freed) {
  const auto rule = std::find_if(kHarmless.begin(), kHarmless.end(), [&](const Harmless& harmless) {
    return applies(harmless, freed);
  });
  if (rule != kHarmless.end()) return rule->end;
  if (!freed.is_packet) return End::kNothing;
  // Without a reason the packet itself has to tell.
  if (freed.other_host && freed.reason == kUnspecified) return End::kNothing;
  const bool is_lost = std::find(kLostThoughMulticast.begin(), kLostThoughMulticast.end(),
                                 freed.reason) != kLostThoughMulticast.end();
  return freed.multicast && !is_lost ? End::kNothing : End::kLoss;
}

std::string_view reason_name(std::optional<std::uint32_t> reason, const Names& names) {
  if (!reason) return kUnspecified;
  const auto found = names.reasons.find(*reason);
  return found == names.reasons.end() ? std::string_view("unknown") : found->second;
}

bool is_multicast(const dpt_flow& flow) {
  const auto& bytes = flow.destination.bytes;
  return flow.family == 4 ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
}

}  // namespace

End end_of(const Drop& drop, const dpt_flow& flow, const Names& names) {
  Freed freed;
  freed.function = names.function(drop.location);
  freed.reason = reason_name(drop.reason, names);
  freed.protocol = flow.protocol;
  freed.icmp_type = flow.l4.icmp.type;
  freed.multicast = is_multicast(flow);
  return end_of(freed);
}

End end_of(const DropKind& kind, const Names& names) {
  Freed freed;
  freed.function = names.function(kind.location);
  freed.reason = reason_name(kind.reason, names);
  freed.protocol = kind.protocol;
  freed.icmp_type = kind.icmp_type;
  freed.multicast = kind.multicast;
  freed.other_host = kind.other_host;
  freed.tcp_fin = kind.tcp_fin;
  freed.has_reason = kind.reason.has_value();
  freed.is_packet = kind.family != 0 || kind.ethertype != 0 || kind.interface.index != 0;
  freed.followed = false;
  return end_of(freed);
}

bool may_be_time_wait(const Drop& drop, const Names& names) {
  const auto function = names.function(drop.location);
  return reason_name(drop.reason, names) == kUnspecified &&
         (is_function("tcp_v4_rcv", function) || is_function("tcp_v6_rcv", function));
}

}  // namespace dptrace
