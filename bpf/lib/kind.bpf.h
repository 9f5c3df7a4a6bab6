/* The drop-watch counts freed packets by their kind, which is found here. */
#pragma once

#include "common.bpf.h"
#include "connection.bpf.h"
#include "place.bpf.h"
#include "walk.bpf.h"
#include "dptrace/drops.h"

/* watch_pods has the addresses of pods, by which drops are told apart. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DPT_DROPS_PODS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dpt_address);
	__type(value, __u8);
} watch_pods __weak SEC(".maps");

/* watch_has_pods is not 0 once watch_pods has an address. User space writes it. */
__u32 watch_has_pods __weak = 0;

/* watch_helpers has functions that free packets for others: what a packet died of is told by their callers. User space
 * writes it before the program is attached.
 */
struct dpt_range watch_helpers[DPT_DROPS_HELPERS] __weak = {};
__u32 watch_helper_count __weak = 0;

/* `address` is a return address, which may be just behind the function that made the call. */
static __always_inline bool kind__is_helper(__u64 address)
{
	for (__u32 i = 0; i < DPT_DROPS_HELPERS; i++) {
		if (i >= watch_helper_count)
			break;
		if (address - 1 - watch_helpers[i].begin < watch_helpers[i].size)
			return true;
	}
	return false;
}

/* union dpt_room gives one place on the stack to values that are not needed at the same time. */
union dpt_room {
	struct dpt_seen seen;
	__u64 stack[sizeof(struct dpt_seen) / sizeof(__u64)];
};

/* Returns the kernel's location or, when that is in a helper, the first return address behind it that is in no helper.
 */
static __always_inline __u64 kind__dropper(void *ctx, __u64 location, union dpt_room *room)
{
	const __u64 *stack = room->stack;
	bool found = false;

	if (!kind__is_helper(location))
		return location;
	__builtin_memset(room, 0, sizeof(*room));
	if (bpf_get_stack(ctx, room->stack, sizeof(room->stack), 0) <= 0)
		return location;
	/* The addresses before the location are those by which the tracepoint reached this program. */
	for (__u32 i = 0; i < sizeof(room->stack) / sizeof(room->stack[0]); i++) {
		found |= stack[i] == location;
		if (found && stack[i] && !kind__is_helper(stack[i]))
			return stack[i];
	}
	return location;
}

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
		kind->of.ip.of.icmp_type = flow->l4.icmp.type;
	else if (flow->protocol == IPPROTO_TCP)
		kind->of.ip.of.segment = dpt_segment_of(flow);
	if (flow__is_multicast(flow))
		kind->flags |= DPT_KIND_MULTICAST;
	if (!watch_has_pods)
		return;
	if (bpf_map_lookup_elem(&watch_pods, &flow->source))
		kind->pod = flow->source;
	else if (bpf_map_lookup_elem(&watch_pods, &flow->destination))
		kind->pod = flow->destination;
}

/* Reads any headers. LOOK_UNUSUAL: the packet is not IP. */
static __always_inline enum dpt_look kind__walk(struct dpt_bytes *bytes, struct dpt_seen *seen)
{
	struct dpt_walk walk;
	__u32 matches = 0;

	bytes__untype(bytes);
	if (!walk__headers(bytes, &walk, &matches))
		return LOOK_UNUSUAL;
	if (!matches)
		return LOOK_NOT_OURS;
	walk__fill(bytes, &walk, seen);
	seen__forget(seen);
	return LOOK_SEEN;
}

/* Returns false for a packet that was not asked for. Else *seen is filled, unless kind->family is 0: the packet is not
 * IP.
 */
static __always_inline bool kind__add_packet(struct dpt_kind_key *kind, struct dpt_bytes *bytes, struct dpt_seen *seen)
{
	__u32 matches = 0;
	enum dpt_look look = common__look(bytes, seen, WANT_NOTHING, &matches);

	if (look == LOOK_UNUSUAL)
		look = kind__walk(bytes, seen);
	switch (look) {
	case LOOK_NOT_OURS:
		return false;
	case LOOK_UNUSUAL:
		kind->of.ethertype = bpf_htons(bytes->protocol);
		return !kind__is_filtered();
	case LOOK_SEEN:
		kind__add_flow(kind, &seen->flow);
	}
	return true;
}

/* Adds the netns and the device: the skb's device or, while the skb has none, the device that received it, else that of
 * its route.
 */
static __always_inline void kind__add_place(struct dpt_kind_key *kind, struct sk_buff *skb)
{
	__u32 netns, ifindex;
	struct net_device *dev = skb__device(skb, &netns);

	if (dev) {
		ifindex = dev->ifindex;
	} else {
		struct dst_entry *dst = skb__dst(skb);

		if (!dst)
			return;
		dev = BPF_CORE_READ(dst, dev);
		/* The route of a received packet leads to lo. */
		ifindex = skb->skb_iif ? skb->skb_iif : BPF_CORE_READ(dev, ifindex);
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	if (netns < FIRST_NETNS)
		return;
	kind->netns = netns;
	kind->ifindex = ifindex;
}

static __always_inline void kind__add_connection(struct dpt_kind_key *kind, const struct dpt_flow *flow)
{
	struct dpt_connection connection;
	__u64 now = bpf_ktime_get_ns();

	connection__of_receiver(&connection, kind->netns, flow);
	if (kind->of.ip.of.segment == DPT_SEGMENT_SYN) {
		if (connection__was_noted(&watch_half_open, &connection, HALF_OPEN_FOR_NS, now))
			kind->flags |= DPT_KIND_HALF_OPEN;
	} else if (connection__was_noted(&watch_closed, &connection, OVER_FOR_NS, now)) {
		kind->flags |= DPT_KIND_OVER;
	}
}

/* Returns false for a packet that was not asked for. On entry *kind is zero but for the reason, its flag and the
 * location.
 */
static __always_inline bool kind__of_skb(struct dpt_kind_key *kind, struct sk_buff *skb, struct dpt_bytes *bytes,
					 struct dpt_seen *seen)
{
	if (!kind__add_packet(kind, bytes, seen))
		return false;
	kind->packet_type = skb__packet_type(skb);
	kind__add_place(kind, skb);
	if (kind->packet_type == PACKET_OTHERHOST && kind->ifindex && skb->dev && device__is_flooded(skb->dev))
		kind->flags |= DPT_KIND_FLOODED;
	if (kind->family && kind->of.ip.protocol == IPPROTO_TCP)
		kind__add_connection(kind, &seen->flow);
	return true;
}
