/* The tracepoint skb:kfree_skb tells that the kernel threw a packet away, why, and from where. */
#include "../lib/dropped.bpf.h"
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"

/* A packet that has no route yet was received, or never leaves the host; a packet that was made here has one. The way
 * is computed without a branch: the verifier would follow the whole program once for each outcome.
 */
static __always_inline __u32 drop__way(struct sk_buff *skb)
{
	__u64 dst = (__u64)skb__dst(skb), negated = -dst;
	__u32 has_route;

	barrier_var(negated);
	has_route = (dst | negated) >> 63;
	return WAY_ENDS | has_route * WAY_BEGINS | (has_route ^ 1) * WAY_UNDECIDED;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(dptrace_free, struct sk_buff *skb, void *location)
{
	const struct net_device *dev;
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_drop *drop;
	struct dpt_seen seen;
	__u32 matches, way = drop__way(skb);
	long stack;

	bytes__of_network_header(&bytes, skb);
	if (!identity__may_be_ours(&bytes, &seen, skb__is_marked(skb), way, READ_AFTER_GLANCE, &matches))
		return 0;
	dev = place__of_skb(&place, skb, DPT_POINT_DROP);
	if (!identity__is_ours(&seen, &place, way, matches))
		return 0;
	dropped__remember(&place, &seen);
	if (dev && place.packet_type == PACKET_OTHERHOST)
		place.flags |= device__is_flooded(dev);
	if (dev)
		emit__device(dev, &place, seen.now);

	drop = emit__reserve(DPT_EVENT_DROP, sizeof(*drop));
	if (!drop)
		return 0;
	emit__begin(&drop->hop.event, DPT_EVENT_DROP, sizeof(*drop), seen.now);
	emit__fill(&drop->hop, &place, &seen);
	drop->location = (__u64)location;
	drop->reason = 0;
	drop->has_reason = config.has_drop_reason;
	if (config.has_drop_reason)
		drop->reason = ctx[2];
	drop->reserved = 0;
	drop->mark = skb->mark;
	drop->reserved_too = 0;
	__builtin_memset(drop->stack, 0, sizeof(drop->stack));
	stack = bpf_get_stack(ctx, drop->stack, sizeof(drop->stack), 0);
	drop->stack_depth = stack > 0 ? stack / sizeof(drop->stack[0]) : 0;
	emit__submit(drop);
	return 0;
}
