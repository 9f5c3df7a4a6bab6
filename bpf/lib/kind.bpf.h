/* The kind of a freed packet: what the drop-watch counts by. */
#pragma once

#include "place.bpf.h"
#include "dptrace/watch.h"

/* As far as the filter, sk_buff's pkt_type is a matter of the drop-watch alone. */
struct sk_buff___kind {
	__u8 pkt_type : 3;
} __attribute__((preserve_access_index));

struct dst_ops___kind {
	unsigned short family;
} __attribute__((preserve_access_index));

struct dst_entry___kind {
	struct dst_ops___kind *ops;
} __attribute__((preserve_access_index));

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

enum {
	PACKET_BROADCAST = 1,
	PACKET_MULTICAST = 2,
	PACKET_OTHERHOST = 3,
};

/* Network namespaces are numbered from here on; the initial one has a number just below 0xf0000000 since 6.18. */
#define FIRST_NETNS 0xeffffff0U

/* Addresses of pods, by which drops are told apart. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DPT_WATCH_PODS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dpt_address);
	__type(value, __u8);
} watch_pods __weak SEC(".maps");

/* Not 0 once there are any. Written by user space. */
__u32 watch_has_pods __weak = 0;

static __always_inline bool kind__is_filtered(void)
{
	return config.pod_count || config.peer_count || config.port || !config.any_protocol;
}

static __always_inline bool flow__is_multicast(const struct dpt_flow *flow)
{
	__u8 first = flow->family == 6 ? flow->destination.bytes[0] : flow->destination.bytes[12];

	return flow->family == 6 ? first == 0xff : first >> 4 == 0xe || first == 0xff;
}

static __always_inline void kind__add_flow(struct dpt_kind_key *kind, const struct dpt_flow *flow)
{
	kind->family = flow->family;
	kind->of.ip.protocol = flow->protocol;
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6)
		kind->of.ip.icmp_type = flow->l4.icmp.type;
	/* Without reasons, what TIME_WAIT answers cannot be told from what no socket takes but by this. */
	if (!config.has_drop_reason && flow->protocol == IPPROTO_TCP && flow->tcp_flags & TCP_FIN)
		kind->flags |= DPT_KIND_TCP_FIN;
	if (flow__is_multicast(flow))
		kind->flags |= DPT_KIND_MULTICAST;
	if (!watch_has_pods)
		return;
	if (bpf_map_lookup_elem(&watch_pods, &flow->source))
		kind->pod = flow->source;
	else if (bpf_map_lookup_elem(&watch_pods, &flow->destination))
		kind->pod = flow->destination;
}

/* False: not asked for. Else *seen is filled, unless kind->family says that it is no IP packet. */
static __always_inline bool kind__add_packet(struct dpt_kind_key *kind, struct dpt_bytes *bytes, struct dpt_seen *seen)
{
	struct dpt_walk walk;
	__u32 matches = 0;

	switch (common__look(bytes, seen, false, &matches)) {
	case LOOK_NOT_OURS:
		return false;
	case LOOK_SEEN:
		break;
	case LOOK_UNUSUAL:
		matches = 0;
		bytes__untype(bytes);
		if (!walk__headers(bytes, &walk, &matches)) {
			kind->of.ethertype = bpf_htons(bytes->protocol);
			return !kind__is_filtered();
		}
		if (!matches)
			return false;
		walk__fill(bytes, &walk, seen);
		seen__forget(seen);
	}
	kind__add_flow(kind, &seen->flow);
	return true;
}

/* The skb's device, or while it has none that of its route. What a socket queues keeps other things where the device
 * was: a number that cannot be a netns' tells.
 */
static __always_inline void kind__add_place(struct dpt_kind_key *kind, struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	__u32 netns, ifindex;

	if (dev) {
		ifindex = dev->ifindex;
		netns = dev->nd_net.net->ns.inum;
	} else {
		struct dst_entry *dst = skb__dst(skb);

		if (!dst)
			return;
		dev = BPF_CORE_READ(dst, dev);
		ifindex = BPF_CORE_READ(dev, ifindex);
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	if (netns < FIRST_NETNS)
		return;
	kind->netns = netns;
	kind->ifindex = ifindex;
}

/* What raw sockets send has no protocol before it leaves the IP layer; its route tells (before 6.0). */
static __always_inline void kind__find_protocol(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	struct dst_entry___kind *dst = (struct dst_entry___kind *)skb__dst(skb);
	__u16 family;

	if (!dst)
		return;
	family = BPF_CORE_READ(dst, ops, family);
	if (family == AF_INET)
		bytes->protocol = ETH_P_IP;
	else if (family == AF_INET6)
		bytes->protocol = ETH_P_IPV6;
}

/* False: not asked for. *kind is zero but for reason and location. */
static __always_inline bool kind__of_skb(struct dpt_kind_key *kind, struct sk_buff *skb, struct dpt_bytes *bytes,
					 struct dpt_seen *seen)
{
	__u8 type = BPF_CORE_READ_BITFIELD((struct sk_buff___kind *)skb, pkt_type);

	if (!bytes->protocol)
		kind__find_protocol(bytes, skb);
	if (!kind__add_packet(kind, bytes, seen))
		return false;
	if (type == PACKET_BROADCAST || type == PACKET_MULTICAST)
		kind->flags |= DPT_KIND_MULTICAST;
	else if (type == PACKET_OTHERHOST)
		kind->flags |= DPT_KIND_OTHER_HOST;
	kind__add_place(kind, skb);
	return true;
}
