/* The program sees a packet that IPsec takes: the packet that leaves in its skb is another one, encrypted. The program
 * is loaded where the kernel has fentry.
 */
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"

/* Places the packet at the device by which its route sends it; the skb's own device is still the one that it came by.
 */
static __always_inline const struct net_device *xfrm__place(struct dpt_place *place, struct sk_buff *skb)
{
	const struct net_device *dev = place__of_skb(place, skb, DPT_POINT_ENCAPSULATE);
	struct dst_entry *dst = skb__dst(skb);
	const struct net_device *out = dst ? BPF_CORE_READ(dst, dev) : NULL;

	if (!out)
		return dev;
	place->ifindex = BPF_CORE_READ(out, ifindex);
	place->netns = BPF_CORE_READ(out, nd_net.net, ns.inum);
	return out;
}

SEC("?fentry/xfrm_output")
int BPF_PROG(dptrace_ipsec, struct sock *sk, struct sk_buff *skb)
{
	const struct net_device *dev;
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_seen seen;
	__u32 matches;

	bytes__of_network_header(&bytes, skb);
	if (!identity__may_be_ours(&bytes, &seen, skb__is_marked(skb), WAY_BEGINS | WAY_LEAVES, READ_AFTER_GLANCE,
				   &matches))
		return 0;
	dev = xfrm__place(&place, skb);
	if (!identity__is_ours(&seen, &place, WAY_BEGINS | WAY_LEAVES, matches))
		return 0;
	skb__mark(skb);
	if (dev)
		emit__device(dev, &place, seen.now);
	emit__hop(&place, &seen);
	return 0;
}
