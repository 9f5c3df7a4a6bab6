/* These programs see every device of every netns: packets that the network stack receives, and packets that are given
 * to a driver.
 */
#include "../lib/home.bpf.h"
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"

/* Returns the enum dpt_home_flag bits of the device. 0: user space does not know it, or it is in another netns. */
static __always_inline __u32 device__flags(struct net_device *dev)
{
	return dev->nd_net.net->ns.inum == config.home_netns ? home__flags(dev->ifindex) : 0;
}

static __always_inline void device__see(struct sk_buff *skb, struct net_device *dev, struct dpt_bytes *bytes,
					__u8 point, __u32 way)
{
	struct dpt_place place;
	struct dpt_seen seen;
	__u32 matches;

	if (!identity__may_be_ours(bytes, &seen, skb__is_marked(skb), way, READ_AFTER_GLANCE, &matches))
		return;
	place__of_device(&place, skb, dev, point);
	if (!identity__is_ours(&seen, &place, way, matches)) {
		skb__unmark(skb);
		return;
	}
	skb__mark(skb);
	emit__device(dev, &place, seen.now);
	emit__hop(&place, &seen);
}

SEC("tp_btf/netif_receive_skb")
int BPF_PROG(dptrace_receive, struct sk_buff *skb)
{
	__u32 flags = device__flags(skb->dev);
	__u32 way = WAY_ARRIVES | WAY_UNDECIDED;
	struct dpt_bytes bytes;

	if (flags & DPT_HOME_COVERED)
		return 0;
	if (flags & DPT_HOME_UPLINK)
		way |= WAY_AT_UPLINK;
	bytes__of_data(&bytes, skb);
	device__see(skb, skb->dev, &bytes, DPT_POINT_DEVICE_RECEIVE, way);
	return 0;
}

SEC("tp_btf/net_dev_start_xmit")
int BPF_PROG(dptrace_xmit, struct sk_buff *skb, struct net_device *dev)
{
	struct dpt_bytes bytes;

	if (device__flags(dev) & DPT_HOME_COVERED)
		return 0;
	bytes__of_network_header(&bytes, skb);
	device__see(skb, dev, &bytes, DPT_POINT_DEVICE_TRANSMIT, WAY_BEGINS | WAY_LEAVES);
	return 0;
}
