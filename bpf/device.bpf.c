/* Every device of every netns: received by the network stack, given to a driver. */
#include "lib/emit.bpf.h"
#include "lib/place.bpf.h"

/* Devices of the home netns that have tc programs: their crossings are told there. Written by user space. */
__u8 covered[DPT_MAX_IFINDEX];

static __always_inline bool device__is_covered(struct net_device *dev)
{
	__u32 ifindex = dev->ifindex;

	return ifindex < DPT_MAX_IFINDEX && covered[ifindex] && dev->nd_net.net->ns.inum == config.home_netns;
}

static __always_inline void device__see(struct sk_buff *skb, struct net_device *dev, struct dpt_bytes *bytes,
					__u8 point)
{
	struct dpt_place place;
	struct dpt_seen seen;

	if (!identity__is_ours(bytes, &seen, READ_BOTH_WAYS))
		return;
	place__of_device(&place, skb, dev, point);
	emit__device(dev, &place, seen.now);
	emit__hop(&place, &seen);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(on_netif_receive_skb, struct sk_buff *skb)
{
	struct dpt_bytes bytes;

	if (device__is_covered(skb->dev))
		return 0;
	bytes__of_data(&bytes, skb);
	device__see(skb, skb->dev, &bytes, DPT_POINT_DEVICE_RECEIVE);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(on_net_dev_start_xmit, struct sk_buff *skb, struct net_device *dev)
{
	struct dpt_bytes bytes;

	if (device__is_covered(dev))
		return 0;
	bytes__of_network_header(&bytes, skb);
	device__see(skb, dev, &bytes, DPT_POINT_DEVICE_TRANSMIT);
	return 0;
}
