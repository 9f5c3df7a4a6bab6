/* tc programs at ingress and egress of the node's devices: they read packets under any lockdown, and see the egress
 * before the queue that may drop it. They only look: the packet goes on to whatever else is attached.
 */
#include "lib/quick.bpf.h"
#include "lib/emit.bpf.h"

char dptrace_license[] SEC("license") = "GPL";

#define ETHERNET_HEADER 14
#define TC_ACT_UNSPEC (-1) /* also TCX_NEXT */

static __always_inline int tc__see(struct __sk_buff *ctx, __u8 point, __u32 network_offset)
{
	struct dpt_packet packet;
	struct dpt_bytes bytes;
	struct dpt_place place;
	__u64 key, now;

	if (quick__context_is_not_ours(ctx, network_offset))
		return TC_ACT_UNSPEC;
	bytes__of_context(&bytes, ctx, network_offset);
	if (!identity__is_ours(&bytes, &packet, &key, &now))
		return TC_ACT_UNSPEC;
	place.skb = (__u64)ctx; /* the context of a tc program is the sk_buff itself */
	place.netns = config.home_netns;
	place.ifindex = ctx->ifindex;
	place.length = ctx->len - network_offset;
	place.point = point;
	place.gso = ctx->gso_segs > 1;
	emit__hop(&place, &bytes, &packet, key, now);
	return TC_ACT_UNSPEC;
}

SEC("tc")
int dptrace_l2_in(struct __sk_buff *ctx)
{
	return tc__see(ctx, DPT_POINT_TC_INGRESS, ETHERNET_HEADER);
}

SEC("tc")
int dptrace_l2_out(struct __sk_buff *ctx)
{
	return tc__see(ctx, DPT_POINT_TC_EGRESS, ETHERNET_HEADER);
}

/* Devices without a link header: tunl0, wireguard. */
SEC("tc")
int dptrace_l3_in(struct __sk_buff *ctx)
{
	return tc__see(ctx, DPT_POINT_TC_INGRESS, 0);
}

SEC("tc")
int dptrace_l3_out(struct __sk_buff *ctx)
{
	return tc__see(ctx, DPT_POINT_TC_EGRESS, 0);
}
