#include "words/drop_sites.hpp"

#include <array>

#include "verdict/drop_stack.hpp"
#include "words/style.hpp"

namespace dptrace {

namespace {

struct Site {
  std::string_view function;
  std::string_view sentence;
};

constexpr std::string_view kNoUdpSocket =
    "no UDP socket at this address and port, or a bad checksum";
constexpr std::string_view kNoTcpSocket =
    "no TCP socket at this address and port, or bad checksum or policy";
constexpr std::string_view kUdpSocket =
    "refused by the UDP socket: receive buffer full, filter or checksum";
constexpr std::string_view kQueue = "queue (qdisc) full, tc egress filter, link down or no carrier";
constexpr std::string_view kVethPeer =
    "the other end of the veth is down, or the packet is larger than its MTU";
constexpr std::string_view kGenericXdp = "an XDP program (generic mode) dropped it";
constexpr std::string_view kVethXdp = "an XDP program on the veth dropped it";
constexpr std::string_view kTcpState =
    "not acceptable to the TCP socket: old, out of window or wrong state";
constexpr std::string_view kQueueReader =
    "NFQUEUE: its reader dropped it or has gone, or a later hook dropped it";
constexpr std::string_view kRawCopy =
    "no ping socket; usual where a raw socket has already taken a copy";

// Each sentence names everything that the function's drops mean on 5.10, 6.1, 6.12 and 7.2, as they
// were seen or as the sources say.
constexpr std::array<Site, 57> kSites = {{
    {"ip_error", "no route, forwarding off on the ingress device, or a route that refuses"},
    {"ip_rcv_finish_core", "source refused: reverse path filter or martian source"},
    {"ip_forward", "TTL reached 0, larger than the MTU with DF set, or refused by IPsec policy"},
    {"ip_fragment", "larger than the MTU and not to be fragmented (DF)"},
    {"ip_tunnel_xmit", "the tunnel could not send it: MTU with DF set, no route, or a loop"},
    {"ip_rcv_core", "addressed to another host's MAC, or a broken IP header"},
    {"ip_local_deliver_finish", "no handler for this IP protocol"},
    {"ip6_pkt_drop", "no route, or a route that refuses"},
    {"ip6_forward", "forwarding off, hop limit reached 0, larger than the MTU, or policy"},
    {"ip6_rcv_core", "addressed to another host's MAC, or a broken IPv6 header"},
    {"neigh_invalidate", "the next hop did not answer ARP or neighbour discovery"},
    {"__neigh_event_send", "the next hop did not answer, or too many packets waited for it"},
    {"nf_hook_slow", "a netfilter hook: iptables, nftables, conntrack, NAT or IPVS"},
    {"nft_do_chain", "an nftables rule or chain policy (also of iptables-nft)"},
    {"nf_queue", "NFQUEUE: no program reads this queue, it is full, or no memory for it"},
    {"nfqnl_enqueue_packet",
     "NFQUEUE: the queue is full, or its segments were queued in its place"},
    {"nf_reinject", kQueueReader},
    {"nfqnl_reinject", kQueueReader},
    {"nfqnl_recv_verdict", kQueueReader},
    {"nfqnl_flush", kQueueReader},
    {"tcp_v4_rcv", kNoTcpSocket},
    {"tcp_v6_rcv", kNoTcpSocket},
    {"tcp_v4_do_rcv", kTcpState},
    {"tcp_v6_do_rcv", kTcpState},
    {"tcp_rcv_state_process", kTcpState},
    {"tcp_rcv_established", kTcpState},
    {"tcp_validate_incoming", kTcpState},
    {"tcp_data_queue", kTcpState},
    {"__udp4_lib_rcv", kNoUdpSocket},
    {"__udp6_lib_rcv", kNoUdpSocket},
    {"udp_rcv", kNoUdpSocket},
    {"udp_queue_rcv_one_skb", kUdpSocket},
    {"udpv6_queue_rcv_one_skb", kUdpSocket},
    {"icmp_rcv", kRawCopy},
    {"ping_rcv", kRawCopy},
    {"__dev_queue_xmit", kQueue},
    {"kfree_skb_list", kQueue},
    {"kfree_skb_list_reason", kQueue},
    {"__tcf_kfree_skb_list", kQueue},
    {"__dev_forward_skb", kVethPeer},
    {"__dev_forward_skb2", kVethPeer},
    {"__netif_receive_skb_core", "a tc ingress filter or program, or no protocol handler"},
    {"netif_receive_generic_xdp", kGenericXdp},
    {"do_xdp_generic", kGenericXdp},
    {"veth_poll", kVethXdp},
    {"veth_xdp_rcv_skb", kVethXdp},
    {"br_handle_frame", "the bridge port's STP state does not let it in"},
    {"br_handle_frame_finish", "no bridge port to send it to: blocked, isolated or no flooding"},
    {"vxlan_xmit", "no forwarding entry (FDB) for the destination MAC"},
    {"vxlan_xmit_one", "VXLAN could not send it: no route to the remote end"},
    {"vxlan_rcv", "no VXLAN device with this VNI, or a broken VXLAN header"},
    {"tunnel4_rcv", "no IPIP tunnel for these outer addresses"},
    {"geneve_udp_encap_recv", "no Geneve device with this VNI, or a broken Geneve header"},
    {"ovs_dp_process_packet", "Open vSwitch has no flow for it and no ovs-vswitchd to ask"},
    {"do_execute_actions", "an Open vSwitch flow drops it, or its output port is gone or down"},
    {"enqueue_to_backlog", "the CPU's backlog is full (net.core.netdev_max_backlog)"},
    {"net_tx_action", "freed later by the network softirq: where it was dropped is not known"},
}};

constexpr std::size_t kRoom = kColumns - std::string_view("    : ").size();

constexpr bool rows_are_good() {
  for (std::size_t i = 0; i < kSites.size(); ++i) {
    const auto& [function, sentence] = kSites[i];
    if (function.empty() || sentence.empty()) return false;
    if (function.size() + sentence.size() > kRoom) return false;
    for (std::size_t j = 0; j < i; ++j) {
      if (kSites[j].function == function) return false;
    }
  }
  return true;
}
static_assert(rows_are_good(), "complete, unique, and fit a line");

}  // namespace

std::string_view drop_site(std::string_view function) {
  const std::string_view name = source_name(function);
  for (const auto& site : kSites) {
    if (site.function == name) return site.sentence;
  }
  return {};
}

}  // namespace dptrace
