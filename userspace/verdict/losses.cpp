#include "verdict/losses.hpp"

#include <linux/if_packet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kEchoReply = 0;
constexpr std::uint8_t kEchoReply6 = 129;

constexpr std::string_view kUnspecified = "NOT_SPECIFIED";

enum class When : std::uint8_t {
  kAlways,
  kUnfollowed,  // not when the packet is followed, because its copies and its connection are known
                // then
  kUnfollowedNew,  // as kUnfollowed, and only on kernels with reasons, where a loss at this place
                   // has one
};

enum class Segments : std::uint8_t {
  kAll,
  kEmpty,   // an acknowledgment, a FIN or a RST without data
  kNotSyn,  // all segments but requests for a connection
  kSynAck,
};

// A rule says which end a free has when it is no loss. A member that is empty or 0 matches
// anything. `function` is one name or, when it ends with *, the beginning of several.
struct Harmless {
  std::string_view function;
  std::string_view reason;
  std::uint8_t protocol = 0;
  End end = End::kCopy;
  When when = When::kAlways;
  Segments segments = Segments::kAll;
  std::optional<std::uint8_t> icmp_type = std::nullopt;
};

constexpr Harmless tcp(std::string_view function, std::string_view reason, End end,
                       When when = When::kAlways, Segments segments = Segments::kAll) {
  return {function, reason, IPPROTO_TCP, end, when, segments};
}

constexpr Harmless echo_reply(std::string_view function, std::string_view reason) {
  return {function,          reason,         IPPROTO_ICMP, End::kTaken,
          When::kUnfollowed, Segments::kAll, kEchoReply};
}

constexpr Harmless echo_reply6(std::string_view function, std::string_view reason) {
  return {function,          reason,         IPPROTO_ICMPV6, End::kTaken,
          When::kUnfollowed, Segments::kAll, kEchoReply6};
}

constexpr auto kHarmless = std::to_array<Harmless>({
    // The kernel frees the skbs of a reassembled packet together with the first of them.
    {"skb_release_data", ""},
    {"", "CONSUMED"},
    // The kernel checks a new device's queue with an empty skb.
    {"napi_get_frags_check", ""},
    // The kernel makes an skb for a question about a route (`ip route get`), with the addresses
    // that
    // were asked for.
    {"inet_rtm_getroute", ""},
    {"inet6_rtm_getroute", ""},
    // The packet was still queued when its socket was closed. Neighbours, tunnels and devices purge
    // their queues by the same helpers, but their packets are lost.
    {"udp_destruct_common", "", 0, End::kClosed},
    {"udp_destruct_sock", "", 0, End::kClosed},
    {"udpv6_destruct_sock", "", 0, End::kClosed},
    {"inet_sock_destruct", "", 0, End::kClosed},
    {"sk_stream_kill_queues", "", 0, End::kClosed},
    {"inet_csk_destroy_sock", "", 0, End::kClosed},
    {"tcp_disconnect", "", 0, End::kClosed},
    {"tcp_v4_destroy_sock", "", 0, End::kClosed},
    {"tcp_v6_destroy_sock", "", 0, End::kClosed},
    // The data has been read: by the application of an SCTP socket, or from a socket whose data BPF
    // programs pass on (sockmap).
    {"sctp_recvmsg", "", IPPROTO_SCTP, End::kTaken},
    {"sctp_ulpevent_free", "", IPPROTO_SCTP, End::kTaken},
    {"sctp_queue_purge_ulpevents", "", IPPROTO_SCTP, End::kClosed},
    {"sk_psock_backlog", kUnspecified, 0, End::kTaken},
    // A sniffer was too slow for its copy, or has gone.
    {"packet_rcv*", ""},
    {"tpacket_rcv", ""},
    {"packet_release", ""},
    {"packet_set_ring", ""},
    {"packet_sock_destruct", ""},
    // Until 6.1 every ICMPv6 message that was understood ends here.
    {"icmpv6_rcv", kUnspecified, IPPROTO_ICMPV6, End::kTaken},
    // A normal close ends here.
    tcp("tcp_rcv_state_process", kUnspecified, End::kTaken),
    tcp("tcp_time_wait", kUnspecified, End::kTaken),
    // The segment went to a connection in TIME_WAIT, as in every close, or went again to a
    // connection that is half open. With a full accept queue the last ACK of a handshake ends here
    // too, also without a reason; the counter ListenOverflows tells of it.
    tcp("tcp_v4_rcv", kUnspecified, End::kTaken, When::kUnfollowedNew),
    tcp("tcp_v6_rcv", kUnspecified, End::kTaken, When::kUnfollowedNew),
    // A segment without data has nothing to lose, and its sender has no connection any more.
    tcp("tcp_v4_rcv", kUnspecified, End::kClosed, When::kUnfollowed, Segments::kEmpty),
    tcp("tcp_v6_rcv", kUnspecified, End::kClosed, When::kUnfollowed, Segments::kEmpty),
    tcp("", "NO_SOCKET", End::kClosed, When::kUnfollowed, Segments::kEmpty),
    tcp("", "TCP_FLAGS", End::kClosed, When::kUnfollowed, Segments::kEmpty),
    tcp("", "TCP_INVALID_ACK_SEQUENCE", End::kClosed, When::kUnfollowed, Segments::kEmpty),
    tcp("", "TCP_RFC7323_TW_PAWS", End::kClosed, When::kUnfollowed, Segments::kEmpty),
    // The socket exists, but its application has closed it. Until 6.1 the kernel gives no reason,
    // and a segment that is sent to a listener without a connection ends here too.
    tcp("", "TCP_CLOSE", End::kClosed),
    tcp("", "TCP_ABORT_ON_DATA", End::kClosed),
    tcp("tcp_v4_do_rcv", kUnspecified, End::kClosed, When::kUnfollowed, Segments::kNotSyn),
    tcp("tcp_v6_do_rcv", kUnspecified, End::kClosed, When::kUnfollowed, Segments::kNotSyn),
    // TCP has obeyed a reset.
    tcp("", "TCP_RESET", End::kTaken),
    // TCP acknowledges a repeated SYN-ACK again.
    tcp("", "TCP_INVALID_SYN", End::kTaken, When::kAlways, Segments::kSynAck),
    // These acknowledgments tell nothing new.
    tcp("", "TCP_OLD_ACK", End::kTaken),
    tcp("", "TCP_RFC7323_PAWS_ACK", End::kTaken),
    tcp("", "TCP_RFC7323_PAWS", End::kTaken, When::kAlways, Segments::kEmpty),
    tcp("", "TCP_TOO_OLD_ACK", End::kTaken, When::kAlways, Segments::kEmpty),
    tcp("", "TCP_ACK_UNSENT_DATA", End::kTaken, When::kAlways, Segments::kEmpty),
    // A keepalive probe repeats a byte on purpose.
    tcp("", "TCP_OLD_SEQUENCE", End::kCopy),
    tcp("", "TCP_INVALID_SEQUENCE", End::kCopy),
    // A retransmission may repeat data that has arrived after all.
    tcp("", "TCP_OLD_DATA", End::kTaken),
    tcp("", "TCP_OFOMERGE", End::kTaken),
    // Every good ping ends here: its raw socket took a copy, and no ping socket wanted the
    // original.
    echo_reply("icmp_rcv", "NO_SOCKET"),
    echo_reply("icmp_rcv", kUnspecified),
    echo_reply("ping_rcv", "NO_SOCKET"),
    echo_reply("ping_rcv", kUnspecified),
    echo_reply6("icmpv6_rcv", "NO_SOCKET"),
    echo_reply6("ping_rcv", "NO_SOCKET"),
    echo_reply6("ping_rcv", kUnspecified),
});
static_assert(std::all_of(kHarmless.begin(), kHarmless.end(), [](const Harmless& rule) {
  return !rule.function.empty() || !rule.reason.empty();
}));

// A multicast packet that nobody wants is no loss. One that is freed for these reasons is a loss:
// somebody wanted it, or it ended before the kernel looked for receivers.
constexpr auto kLostThoughMulticast = std::to_array<std::string_view>(
    {"NETFILTER_DROP",    "QDISC_DROP",   "QDISC_OVERLIMIT",   "QDISC_CONGESTED", "FQ_BAND_LIMIT",
     "FQ_FLOW_LIMIT",     "FULL_RING",    "CPU_BACKLOG",       "NOMEM",           "SOCKET_RCVBUFF",
     "SOCKET_BACKLOG",    "PROTO_MEM",    "TC_INGRESS",        "TC_EGRESS",       "XDP",
     "BPF_CGROUP_EGRESS", "NEIGH_FAILED", "NEIGH_QUEUEFULL",   "NEIGH_DEAD",      "QUEUE_PURGE",
     "DEV_READY",         "DEV_HDR",      "IP_CSUM",           "UDP_CSUM",        "ICMP_CSUM",
     "HDR_TRUNC",         "PKT_TOO_BIG",  "FRAG_REASM_TIMEOUT"});

// A free in one of these functions tells the same where no reason is given.
constexpr auto kLosesMulticast = std::to_array<std::string_view>({"nf_hook_slow",
                                                                  "nft_do_chain",
                                                                  "__dev_queue_xmit",
                                                                  "enqueue_to_backlog",
                                                                  "do_xdp_generic",
                                                                  "netif_receive_generic_xdp",
                                                                  "veth_poll",
                                                                  "veth_xdp_rcv_skb",
                                                                  "__dev_forward_skb",
                                                                  "__dev_forward_skb2",
                                                                  "udp_queue_rcv_one_skb",
                                                                  "udpv6_queue_rcv_one_skb",
                                                                  "raw_rcv",
                                                                  "rawv6_rcv",
                                                                  "neigh_*",
                                                                  "__neigh_event_send",
                                                                  "tun_net_xmit",
                                                                  "tun_queue_purge",
                                                                  "net_tx_action",
                                                                  "skb_queue_purge*",
                                                                  "qdisc_*",
                                                                  "dev_deactivate*"});

// Kernels that give no reason free frames for other hosts in these functions.
constexpr auto kFreesOthers =
    std::to_array<std::string_view>({"ip_rcv_core", "ip_rcv", "ip6_rcv_core", "ipv6_rcv"});

bool is_function(std::string_view wanted, std::string_view function) {
  if (wanted.empty()) return true;
  if (wanted.ends_with('*')) return function.starts_with(wanted.substr(0, wanted.size() - 1));
  return source_name(function) == wanted;
}

bool is_one_of(std::span<const std::string_view> wanted, std::string_view function) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](std::string_view name) { return is_function(name, function); });
}

bool is_time(When when, const Freed& freed) {
  if (when == When::kAlways) return true;
  return !freed.followed && (when == When::kUnfollowed || freed.has_reason);
}

bool is_meant(Segments segments, dpt_segment segment) {
  switch (segments) {
    case Segments::kEmpty:
      return segment == DPT_SEGMENT_EMPTY || segment == DPT_SEGMENT_RST;
    case Segments::kNotSyn:
      return segment != DPT_SEGMENT_SYN;
    case Segments::kSynAck:
      return segment == DPT_SEGMENT_SYN_ACK;
    case Segments::kAll:
      break;
  }
  return true;
}

bool is_like(const Harmless& rule, const Freed& freed) {
  return is_function(rule.function, freed.function) &&
         (rule.reason.empty() || rule.reason == freed.reason) &&
         (rule.protocol == 0 || rule.protocol == freed.protocol) &&
         is_meant(rule.segments, freed.segment) &&
         (!rule.icmp_type || *rule.icmp_type == freed.icmp_type);
}

bool applies(const Harmless& rule, const Freed& freed) {
  return is_like(rule, freed) && is_time(rule.when, freed);
}

// A trace tells a good ping from one that nobody waits for by the copy that a socket took. A trace
// that sees no sockets cannot tell them apart.
bool may_have_been_copied(const Freed& freed) {
  if (freed.sockets_seen) return false;
  return std::any_of(kHarmless.begin(), kHarmless.end(), [&](const Harmless& harmless) {
    return harmless.icmp_type && is_like(harmless, freed);
  });
}

// TCP frees segments that meet no connection, or one in TIME_WAIT, in these functions.
bool meets_no_connection(const Freed& freed) {
  const auto is_in = [&](std::string_view function) {
    return is_function(function, freed.function);
  };
  if (is_in("tcp_v4_rcv") || is_in("tcp_v6_rcv"))
    return freed.reason == kUnspecified || freed.reason == "NO_SOCKET";
  return (is_in("tcp_v4_do_rcv") || is_in("tcp_v6_do_rcv")) &&
         (freed.reason == kUnspecified || freed.reason == "TCP_FLAGS");
}

bool is_for_other_host(const Freed& freed) {
  if (freed.reason == "OTHERHOST") return true;
  if (freed.packet_type != PACKET_OTHERHOST) return false;
  // The kernel frees a frame whose protocol nobody here speaks before it asks which host the frame
  // is for.
  return freed.reason == "UNHANDLED_PROTO" ||
         (freed.reason == kUnspecified && is_one_of(kFreesOthers, freed.function));
}

bool is_for_many(const Freed& freed) {
  return freed.multicast || freed.packet_type == PACKET_BROADCAST ||
         freed.packet_type == PACKET_MULTICAST || freed.packet_type == PACKET_LOOPBACK;
}

bool was_wanted(const Freed& freed) {
  if (freed.reason == kUnspecified) return is_one_of(kLosesMulticast, freed.function);
  return std::find(kLostThoughMulticast.begin(), kLostThoughMulticast.end(), freed.reason) !=
         kLostThoughMulticast.end();
}

}  // namespace

End end_of(const Freed& freed) {
  const auto rule = std::find_if(kHarmless.begin(), kHarmless.end(), [&](const Harmless& harmless) {
    return applies(harmless, freed);
  });
  if (rule != kHarmless.end()) return rule->end;
  if (!freed.is_packet || may_have_been_copied(freed)) return End::kCopy;
  if (freed.over && freed.segment != DPT_SEGMENT_SYN && meets_no_connection(freed))
    return End::kClosed;
  if (freed.half_open && freed.segment == DPT_SEGMENT_SYN && meets_no_connection(freed))
    return End::kTaken;
  if (is_for_other_host(freed)) return freed.flooded ? End::kUnwanted : End::kLoss;
  if (!is_for_many(freed) || was_wanted(freed)) return End::kLoss;
  // PACKET_LOOPBACK is the sender's own copy of what it sent.
  return freed.packet_type == PACKET_LOOPBACK ? End::kCopy : End::kUnwanted;
}

End end_of(const Drop& drop, const dpt_hop& hop, const Names& names) {
  return end_of(freed_of(drop, hop, names));
}

bool may_be_time_wait(const Drop& drop, const Names& names) {
  return meets_no_connection(freed_of(drop, {}, names));
}

}  // namespace dptrace
