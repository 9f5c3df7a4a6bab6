/* These functions tell where a tracing program met a packet, and fill struct dpt_place. */
#pragma once

#include "emit.bpf.h"

/* pkt_type has a struct of its own: it is a bitfield, whose place libbpf has to find. */
struct sk_buff___packet_type {
	__u8 pkt_type : 3;
} __attribute__((preserve_access_index));

static __always_inline __u8 skb__packet_type(struct sk_buff *skb)
{
	return BPF_CORE_READ_BITFIELD((struct sk_buff___packet_type *)skb, pkt_type);
}

enum {
	PACKET_HOST = 0,
	PACKET_BROADCAST = 1,
	PACKET_MULTICAST = 2,
	PACKET_OTHERHOST = 3,
};

#define IFF_PROMISC 0x100
#define NETDEV_ALIGN 32

/* Returns the other end of a veth. NULL: the device is none. The private part of a veth begins with its other end, in
 * all versions.
 */
static __always_inline const struct net_device *veth__peer(const struct net_device *dev)
{
	const __u32 size = bpf_core_type_size(struct net_device);
	const struct rtnl_link_ops *ops = BPF_CORE_READ(dev, rtnl_link_ops);
	const struct net_device *peer = NULL;
	char kind[8] = {};

	if (!ops || bpf_probe_read_kernel_str(kind, sizeof(kind), BPF_CORE_READ(ops, kind)) != sizeof("veth") ||
	    *(__u32 *)kind != *(__u32 *)"veth")
		return NULL;
	bpf_probe_read_kernel(&peer, sizeof(peer), (char *)dev + ((size + NETDEV_ALIGN - 1) & ~(NETDEV_ALIGN - 1)));
	return peer;
}

/* Returns DPT_HOP_FLOODED or 0: whether the device gets frames for other hosts although nothing is wrong. Such a device
 * is promiscuous, or its other end is a port of a bridge or an Open vSwitch, which floods. The question is asked only
 * about packets that are for another host.
 */
static __always_inline __u8 device__is_flooded(const struct net_device *dev)
{
	const struct net_device *peer;

	if (BPF_CORE_READ(dev, flags) & IFF_PROMISC)
		return DPT_HOP_FLOODED;
	peer = veth__peer(dev);
	return peer && BPF_CORE_READ(peer, rx_handler) ? DPT_HOP_FLOODED : 0;
}

/* Returns DPT_HOP_GSO or 0. */
static __always_inline __u8 skb__is_gso(struct sk_buff *skb)
{
	struct skb_shared_info *shared = (struct skb_shared_info *)(skb->head + skb->end);

	return BPF_CORE_READ(shared, gso_size) != 0;
}

/* Fills *place by plain loads: the verifier knows the type of `dev`. */
static __always_inline void place__of_device(struct dpt_place *place, struct sk_buff *skb, struct net_device *dev,
					     __u8 point)
{
	place->skb = (__u64)skb;
	place->length = skb->len;
	place->point = point;
	place->flags = skb__is_gso(skb);
	place->packet_type = skb__packet_type(skb);
	place->iif = skb->skb_iif;
	place->ifindex = dev->ifindex;
	place->netns = dev->nd_net.net->ns.inum;
}

/* The inode numbers of network namespaces begin at FIRST_NETNS: that of the initial one is just below 0xf0000000 since
 * 6.18.
 */
#define FIRST_NETNS 0xeffffff0U

/* Returns the skb's device. NULL: it has none. An skb in a socket's queue has other things in the place of the device:
 * a number that cannot be that of a netns tells this.
 */
static __always_inline struct net_device *skb__device(struct sk_buff *skb, __u32 *netns)
{
	struct net_device *dev = skb->dev;

	*netns = 0;
	if (dev)
		*netns = dev->nd_net.net->ns.inum;
	if (*netns >= FIRST_NETNS)
		return dev;
	*netns = 0;
	return NULL;
}

/* Fills *place with the skb's device or, while the skb has none (local output, TCP's input, a socket's queue), that of
 * its route. A received packet is at the device that received it, though its route leads to lo. Returns the device.
 * NULL: it is not at hand.
 */
static __always_inline const struct net_device *place__of_skb(struct dpt_place *place, struct sk_buff *skb, __u8 point)
{
	const struct net_device *own = skb__device(skb, &place->netns), *dev = own;

	place->skb = (__u64)skb;
	place->length = skb->len;
	place->point = point;
	place->flags = skb__is_gso(skb);
	place->packet_type = skb__packet_type(skb);
	place->iif = skb->skb_iif;
	place->ifindex = 0;
	if (!dev) {
		struct dst_entry *dst = skb__dst(skb);

		if (dst)
			dev = BPF_CORE_READ(dst, dev);
	}
	if (dev) {
		place->ifindex = BPF_CORE_READ(dev, ifindex);
		place->netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	if (!own && skb->skb_iif) {
		place->ifindex = skb->skb_iif;
		return NULL;
	}
	return dev;
}
