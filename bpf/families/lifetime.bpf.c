/* These programs see the good ends of a packet: a socket took it, or a local protocol handler consumed it. */
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"

/* The receive filter of a TCP listener sees the request before the kernel looks at the queue: the same condition as
 * that of the kernel says whether there is room.
 */
static __always_inline void listener__tell_if_full(const struct sk_buff *skb, const struct dpt_seen *seen)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);
	struct dpt_full_listener *full;
	__u32 waiting, limit;

	if (!sk || BPF_CORE_READ(sk, __sk_common.skc_state) != TCP_LISTEN)
		return;
	waiting = BPF_CORE_READ(sk, sk_ack_backlog);
	limit = BPF_CORE_READ(sk, sk_max_ack_backlog);
	if (waiting <= limit)
		return;
	full = emit__reserve(DPT_EVENT_FULL_LISTENER, sizeof(*full));
	if (!full)
		return;
	emit__begin(&full->event, DPT_EVENT_FULL_LISTENER, sizeof(*full), seen->now);
	full->skb = (__u64)skb;
	full->key = seen->key;
	full->waiting = waiting;
	full->limit = limit;
	full->somaxconn = BPF_CORE_READ(sk, __sk_common.skc_net.net, core.sysctl_somaxconn);
	full->reserved = 0;
	emit__submit(full);
}

static __always_inline int socket__see(struct __sk_buff *ctx, enum dpt_reading reading)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	bool marked = context__is_marked(ctx);
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct net_device *dev;
	struct dpt_seen seen;
	__u32 matches;

	bytes__of_context(&bytes, ctx, 0);
	if (!identity__may_be_ours(&bytes, &seen, marked, WAY_ENDS, reading, &matches))
		return 1;
	place.skb = (__u64)ctx;
	place.length = ctx->len;
	place.point = DPT_POINT_SOCKET;
	place.flags = 0;
	place.packet_type = ctx->pkt_type;
	place.iif = ctx->ingress_ifindex;
	place.ifindex = ctx->ifindex;
	place.netns = 0;
	dev = BPF_CORE_READ(skb, dev);
	if (dev)
		place.netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	if (!identity__is_ours(&seen, &place, WAY_ENDS, matches))
		return 1;
	emit__hop(&place, &seen);
	if (flow__begins(&seen.flow))
		listener__tell_if_full(skb, &seen);
	return 1;
}

/* The receive filter of every socket runs this program with the packet that will be queued to the socket: TCP in any
 * state, UDP, raw, ping. The program has two forms, as the tc programs have.
 */
SEC("?cgroup_skb/ingress")
int dptrace_sock(struct __sk_buff *ctx)
{
	return socket__see(ctx, READ_BOTH_WAYS);
}

SEC("?cgroup_skb/ingress")
int dptrace_sock_w(struct __sk_buff *ctx)
{
	return socket__see(ctx, READ_BY_WALKING);
}

/* Returns whether the route that the packet took ends in this host. */
static __always_inline bool skb__is_routed_here(struct sk_buff *skb)
{
	struct dst_entry *dst = skb__dst(skb);

	if (!dst)
		return false;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return BPF_CORE_READ((struct rt6_info *)dst, rt6i_flags) & RTF_LOCAL;
	if (skb->protocol == bpf_htons(ETH_P_IP))
		return BPF_CORE_READ((struct rtable *)dst, rt_flags) & RTCF_LOCAL;
	return false;
}

/* A packet that the kernel itself answers (echo requests, neighbour discovery) ends here. TCP and UDP packets end at
 * their socket.
 */
static __always_inline bool consume__is_taken(struct sk_buff *skb, const struct dpt_seen *seen)
{
	return skb__is_routed_here(skb) && !seen->tunnel.kind && seen->flow.protocol != IPPROTO_TCP &&
	       seen->flow.protocol != IPPROTO_UDP;
}

static __always_inline void consume__tell(__u64 skb, const struct dpt_seen *seen, __u64 location)
{
	struct dpt_end *end = emit__reserve(DPT_EVENT_END, sizeof(*end));

	if (!end)
		return;
	emit__begin(&end->event, DPT_EVENT_END, sizeof(*end), seen->now);
	end->skb = skb;
	end->key = seen->key;
	end->location = location;
	emit__submit(end);
}

/* consume_skb is the hottest hook of all: an skb without a slot is done at once. */
SEC("tp_btf/consume_skb")
int BPF_PROG(dptrace_consume, struct sk_buff *skb)
{
	const struct net_device *dev;
	struct dpt_slot_set *set;
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_seen seen;
	__u64 location = 0;
	__u32 matches;

	if (!following)
		return 0;
	set = slots__set((__u64)skb);
	if (!set || slots__find(set, (__u64)skb) >= SLOT_WAYS)
		return 0;
	bytes__of_network_header(&bytes, skb);
	if (!identity__may_be_ours(&bytes, &seen, skb__is_marked(skb), WAY_ENDS, READ_AFTER_GLANCE, &matches))
		return 0;
	dev = place__of_skb(&place, skb, DPT_POINT_SOCKET);
	if (!identity__is_ours(&seen, &place, WAY_ENDS, matches))
		return 0;
	if (consume__is_taken(skb, &seen)) {
		if (dev)
			emit__device(dev, &place, seen.now);
		emit__hop(&place, &seen);
		return 0;
	}
	if (config.has_consume_location)
		location = ctx[1];
	consume__tell(place.skb, &seen, location);
	return 0;
}
