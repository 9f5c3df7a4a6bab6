/* skb:kfree_skb: the kernel threw a packet away; why, and from where. */
#include "lib/dropped.bpf.h"
#include "lib/place.bpf.h"
#include "lib/quick.bpf.h"

SEC("tp_btf/kfree_skb")
int BPF_PROG(on_kfree_skb, struct sk_buff *skb, void *location)
{
	const struct net_device *dev;
	struct dpt_packet packet;
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_drop *drop;
	__u64 key, now;
	long stack;

	if (quick__is_not_ours(skb, quick__network_header(skb)))
		return 0;
	bytes__of_network_header(&bytes, skb);
	if (!identity__is_ours(&bytes, &packet, &key, &now))
		return 0;
	dropped__remember(skb, key, now);
	dev = place__of_skb(&place, skb, DPT_POINT_DROP);
	if (dev)
		emit__device(dev, &place, now);

	drop = emit__reserve(DPT_EVENT_DROP, sizeof(*drop));
	if (!drop)
		return 0;
	emit__begin(&drop->hop.event, DPT_EVENT_DROP, sizeof(*drop), now);
	emit__fill(&drop->hop, &place, &bytes, &packet, key);
	drop->location = (__u64)location;
	drop->reason = 0;
	drop->has_reason = config.has_drop_reason;
	if (config.has_drop_reason)
		drop->reason = ctx[2];
	drop->reserved = 0;
	__builtin_memset(drop->stack, 0, sizeof(drop->stack));
	stack = bpf_get_stack(ctx, drop->stack, sizeof(drop->stack), 0);
	drop->stack_depth = stack > 0 ? stack / sizeof(drop->stack[0]) : 0;
	emit__submit(drop);
	return 0;
}
