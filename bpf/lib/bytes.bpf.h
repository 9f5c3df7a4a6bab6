/* Where a program reads a packet's bytes from: the context of a network program, or the memory of an sk_buff. */
#pragma once

#include "kernel.bpf.h"

struct dpt_bytes {
	struct __sk_buff *ctx;	    /* NULL in tracing programs */
	const unsigned char *start; /* of the network header, tracing programs only */
	__u32 offset;		    /* of the network header in the packet, network programs only */
	__u32 available;	    /* bytes from the network header to the end of the linear part */
	__u16 protocol;		    /* ETH_P_*, what the network header is */
};

/* False when the bytes are not in the linear part: then nothing was read. */
static __always_inline bool bytes__read(const struct dpt_bytes *bytes, __u32 at, void *to, __u32 size)
{
	if (at + size > bytes->available)
		return false;
	if (bytes->ctx)
		return bpf_skb_load_bytes(bytes->ctx, bytes->offset + at, to, size) == 0;
	return bpf_probe_read_kernel(to, size, bytes->start + at) == 0;
}

/* For a network program. `offset` is 0 where the packet begins with its network header, else its link header's length.
 */
static __always_inline void bytes__of_context(struct dpt_bytes *bytes, struct __sk_buff *ctx, __u32 offset)
{
	bytes->ctx = ctx;
	bytes->start = NULL;
	bytes->offset = offset;
	bytes->available = ctx->data_end - ctx->data - offset;
	if ((__s32)bytes->available < 0)
		bytes->available = 0;
	bytes->protocol = bpf_ntohs(ctx->protocol);
}

/* The network header may stand before or behind skb->data. */
static __always_inline void bytes__of_skb(struct dpt_bytes *bytes, struct sk_buff *skb, __s64 network_from_data)
{
	__s64 available = (__s64)(skb->len - skb->data_len) - network_from_data;

	bytes->ctx = NULL;
	/* Not a plain load: skb->data is a typed pointer to the verifiers of 6.18 and later, which then walk the
	 * programs once for each place that it may have moved to.
	 */
	bytes->start = BPF_CORE_READ(skb, data) + network_from_data;
	bytes->offset = 0;
	bytes->available = available > 0 ? (__u32)available : 0;
	bytes->protocol = bpf_ntohs(skb->protocol);
}

/* At netif_receive_skb the network header's offset is that of the hop before; the data begins with the network header.
 */
static __always_inline void bytes__of_data(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, 0);
}

/* Everywhere else the network header is where the skb says it is. */
static __always_inline void bytes__of_network_header(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, (__s64)skb->network_header - (skb->data - skb->head));
}
