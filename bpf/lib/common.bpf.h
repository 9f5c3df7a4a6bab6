/* common__look reads the packets that make up nearly all traffic: whole IPv4 packets without options that carry TCP,
 * UDP or ICMP, alone or in VXLAN over such IPv4. One read tells whether a packet is one of these, and a second read
 * tells what is in the tunnel. walk.bpf.h reads all other packets, and would say the same of these.
 */
#pragma once

#include "packet.bpf.h"

/* struct dpt_window is the beginning of an IPv4 packet; struct dpt_frame has before it the end of the Ethernet header,
 * when the packet is in a frame. Both are read in words, which is cheapest.
 */
struct dpt_window {
	struct ipv4_header ip;
	union dpt_l4 l4;
};

struct dpt_frame {
	__u8 source_mac[6];
	__be16 protocol;
	struct dpt_window window;
} __attribute__((aligned(8)));

enum {
	WINDOW_BYTES = sizeof(struct ipv4_header) + sizeof(union dpt_l4),
	FRAME_BYTES = 6 + 2 + WINDOW_BYTES,  /* without the padding at the structure's end */
	VXLAN_FRAME_OFFSET = 20 + 8 + 8 + 6, /* behind IPv4, UDP, VXLAN and the destination MAC */
};

enum dpt_look {
	LOOK_NOT_OURS,
	LOOK_SEEN,    /* .flow, .tunnel and .key are filled */
	LOOK_UNUSUAL, /* the headers need walk.bpf.h; nothing in struct dpt_seen is valid */
};

/* A packet that is shorter than the window is not common: the end of the window would be the padding of its frame. */
static __always_inline bool window__is_common(const struct dpt_window *window)
{
	if (window->ip.version_ihl != 0x45 || window->ip.fragment & ~bpf_htons(IP_DF) ||
	    bpf_ntohs(window->ip.total_length) < WINDOW_BYTES)
		return false;
	return window->ip.protocol == IPPROTO_TCP || window->ip.protocol == IPPROTO_UDP ||
	       window->ip.protocol == IPPROTO_ICMP;
}

static __always_inline bool window__matches(const struct dpt_window *window)
{
	const union dpt_l4 *l4 = &window->l4;

	return filter__matches_ipv4(window->ip.source, window->ip.destination) &&
	       filter__matches_protocol(window->ip.protocol) &&
	       (!config.port || (filter__has_ports(window->ip.protocol) &&
				 filter__matches_ports(l4->port.source, l4->port.destination)));
}

static __always_inline void window__fill(const struct dpt_window *window, struct dpt_seen *seen)
{
	const union dpt_l4 *l4 = &window->l4;
	struct dpt_flow *flow = &seen->flow;

	address__of_ipv4(&flow->source, window->ip.source);
	address__of_ipv4(&flow->destination, window->ip.destination);
	flow->length = bpf_ntohs(window->ip.total_length);
	flow->ip_id = bpf_ntohs(window->ip.id);
	flow->fragment = bpf_ntohs(window->ip.fragment);
	flow->family = 4;
	flow->protocol = window->ip.protocol;
	flow->ttl = window->ip.ttl;
	packet__fill_l4(seen, l4, sizeof(struct ipv4_header));
	seen->key = packet__key(seen, l4, 0);
	seen->datagram = 0;
}

static __always_inline void window__fill_tunnel(const struct dpt_window *window, struct dpt_tunnel *tunnel)
{
	const union dpt_l4 *l4 = &window->l4;

	address__of_ipv4(&tunnel->source, window->ip.source);
	address__of_ipv4(&tunnel->destination, window->ip.destination);
	tunnel->id = bpf_ntohl(l4->vxlan.vxlan_id) >> 8;
	tunnel->port = bpf_ntohs(l4->port.destination);
	tunnel->family = 4;
	tunnel->kind = DPT_TUNNEL_VXLAN;
}

static __always_inline bool window__is_wanted(const struct dpt_window *window, const struct dpt_seen *seen,
					      enum dpt_wanted wanted)
{
	const union dpt_l4 *l4 = &window->l4;

	if (wanted != WANT_BEGINNINGS)
		return wanted;
	return seen->tunnel.kind == DPT_TUNNEL_NONE &&
	       (window->ip.protocol != IPPROTO_TCP || tcp__opens(l4->tcp.flags));
}

/* Sets *matches to whether the filter matches. A packet that does not match may be wanted all the same. */
static __always_inline enum dpt_look common__look(const struct dpt_bytes *bytes, struct dpt_seen *seen,
						  enum dpt_wanted wanted, __u32 *matches)
{
	struct dpt_frame frame;
	struct dpt_window *window = &frame.window;
	const union dpt_l4 *l4 = &window->l4;

	if (bytes->protocol != ETH_P_IP || !bytes__read_words(bytes, 0, window, WINDOW_BYTES) ||
	    !window__is_common(window))
		return LOOK_UNUSUAL;
	*matches = window__matches(window);
	seen->tunnel.kind = DPT_TUNNEL_NONE;
	if (window->ip.protocol == IPPROTO_UDP) {
		__u16 port = bpf_ntohs(l4->port.destination);

		if (is_geneve_port(port))
			return LOOK_UNUSUAL;
		if (is_vxlan_port(port)) {
			window__fill_tunnel(window, &seen->tunnel);
			if (!bytes__read_words(bytes, VXLAN_FRAME_OFFSET, &frame, FRAME_BYTES) ||
			    frame.protocol != bpf_htons(ETH_P_IP) || !window__is_common(window))
				return LOOK_UNUSUAL;
			*matches |= window__matches(window);
		}
	}
	if (!*matches && !window__is_wanted(window, seen, wanted))
		return LOOK_NOT_OURS;
	window__fill(window, seen);
	seen__forget(seen);
	return LOOK_SEEN;
}
