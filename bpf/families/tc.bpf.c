/* The tc programs run at ingress and egress of the node's devices: they read packets under any lockdown, and see the
 * egress before the queue that may drop the packet. They only look: the packet goes on to whatever else is attached.
 */
#include "../lib/home.bpf.h"
#include "../lib/identity.bpf.h"

char dptrace_license[] SEC("license") = "GPL";

#define ETHERNET_HEADER 14
#define TC_ACT_UNSPEC (-1) /* also TCX_NEXT */

static __always_inline int tc__see(struct __sk_buff *ctx, __u8 point, __u32 network_offset, enum dpt_reading reading)
{
	__u32 way = point == DPT_POINT_TC_EGRESS ? WAY_BEGINS | WAY_LEAVES : WAY_ARRIVES | WAY_UNDECIDED;
	bool marked = context__is_marked(ctx);
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_seen seen;
	__u32 matches;

	if (point == DPT_POINT_TC_INGRESS && home__flags(ctx->ifindex) & DPT_HOME_UPLINK)
		way |= WAY_AT_UPLINK;
	bytes__of_context(&bytes, ctx, network_offset);
	if (!identity__may_be_ours(&bytes, &seen, marked, way, reading, &matches))
		return TC_ACT_UNSPEC;
	place.skb = (__u64)ctx; /* the context of a tc program is the sk_buff itself */
	place.netns = config.home_netns;
	place.ifindex = ctx->ifindex;
	place.length = ctx->len - network_offset;
	place.point = point;
	place.flags = ctx->gso_segs > 1 ? DPT_HOP_GSO : 0;
	place.packet_type = ctx->pkt_type;
	place.iif = ctx->ingress_ifindex;
	if (!identity__is_ours(&seen, &place, way, matches))
		return TC_ACT_UNSPEC;
	marks__add((__u64)ctx, context__head(ctx));
	emit__hop(&place, &seen);
	return TC_ACT_UNSPEC;
}

/* Returns the offset of the network header in a packet of an L3 device. The packet begins with it since 5.14. Before,
 * tunnels left the place of the link header at the outer headers, and what tc reads begins there.
 */
static __always_inline __u32 tc__network_offset(struct __sk_buff *ctx)
{
	struct sk_buff *skb = (struct sk_buff *)ctx;
	__s64 offset = BPF_CORE_READ(skb, network_header) - (BPF_CORE_READ(skb, data) - BPF_CORE_READ(skb, head));

	return offset > 0 ? offset : 0;
}

/* Each program has two forms, of which user space loads the one that the kernel's verifier takes. */
#define TC_PROGRAM(name, point, network_offset, network_offset_w)                                                      \
	SEC("?tc")                                                                                                     \
	int dptrace_##name(struct __sk_buff *ctx)                                                                      \
	{                                                                                                              \
		return tc__see(ctx, point, network_offset, READ_BOTH_WAYS);                                            \
	}                                                                                                              \
	SEC("?tc")                                                                                                     \
	int dptrace_##name##_w(struct __sk_buff *ctx)                                                                  \
	{                                                                                                              \
		return tc__see(ctx, point, network_offset_w, READ_BY_WALKING);                                         \
	}

TC_PROGRAM(l2_in, DPT_POINT_TC_INGRESS, ETHERNET_HEADER, ETHERNET_HEADER)
TC_PROGRAM(l2_out, DPT_POINT_TC_EGRESS, ETHERNET_HEADER, ETHERNET_HEADER)
/* These programs are for devices without a link header: tunl0, wireguard. */
TC_PROGRAM(l3_in, DPT_POINT_TC_INGRESS, 0, tc__network_offset(ctx))
TC_PROGRAM(l3_out, DPT_POINT_TC_EGRESS, 0, 0)
