/* Where a tracing program met a packet. */
#pragma once

#include "emit.bpf.h"

static __always_inline __u8 skb__is_gso(struct sk_buff *skb)
{
	struct skb_shared_info *shared = (struct skb_shared_info *)(skb->head + skb->end);

	return BPF_CORE_READ(shared, gso_size) != 0;
}

static __always_inline struct dst_entry *skb__dst(struct sk_buff *skb)
{
	return (struct dst_entry *)(skb->_skb_refdst & SKB_DST_PTRMASK);
}

/* A device known by its type: plain loads. */
static __always_inline void place__of_device(struct dpt_place *place, struct sk_buff *skb, struct net_device *dev,
					     __u8 point)
{
	place->skb = (__u64)skb;
	place->length = skb->len;
	place->point = point;
	place->gso = skb__is_gso(skb);
	place->ifindex = dev->ifindex;
	place->netns = dev->nd_net.net->ns.inum;
}

/* The skb's device, or while it has none (local output, TCP's input) that of its route. What was
 * received is at the device that received it, though its route leads to lo. NULL when that device is not at hand.
 */
static __always_inline const struct net_device *place__of_skb(struct dpt_place *place, struct sk_buff *skb, __u8 point)
{
	const struct net_device *dev = skb->dev;

	place->skb = (__u64)skb;
	place->length = skb->len;
	place->point = point;
	place->gso = skb__is_gso(skb);
	place->ifindex = 0;
	place->netns = 0;
	if (!dev) {
		struct dst_entry *dst = skb__dst(skb);

		if (dst)
			dev = BPF_CORE_READ(dst, dev);
	}
	if (dev) {
		place->ifindex = BPF_CORE_READ(dev, ifindex);
		place->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
		if (!skb->dev && skb->skb_iif) {
			place->ifindex = skb->skb_iif;
			return NULL;
		}
	}
	return dev;
}
