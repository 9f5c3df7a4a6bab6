/* Where a program reads a packet's bytes from: the context of a network program, or the memory of an sk_buff. */
#pragma once

#include "config.bpf.h"

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

/* The same in whole words, without a helper where the kernel allows that. `at` and the size have to be constants. */
#define bytes__read_words(bytes, at, to)                                                                               \
	({                                                                                                             \
		const __u32 words = sizeof(*(to)) / sizeof(__u64);                                                     \
		bool read = false;                                                                                     \
                                                                                                                       \
		if ((at) + sizeof(*(to)) > (bytes)->available)                                                         \
			;                                                                                              \
		else if ((bytes)->ctx)                                                                                 \
			read = bytes__copy_packet((bytes)->ctx, (bytes)->offset + (at), (__u64 *)(to), words);         \
		else if (config.reads_directly)                                                                        \
			read = bytes__copy((bytes)->start + (at), (__u64 *)(to), words);                               \
		else                                                                                                   \
			read = bpf_probe_read_kernel((to), sizeof(*(to)), (bytes)->start + (at)) == 0;                 \
		read;                                                                                                  \
	})

static __always_inline bool bytes__copy(const unsigned char *start, __u64 *to, __u32 words)
{
	const __u64 *from = (const void *)start;

#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		if (i < words)
			to[i] = from[i];
	}
	return true;
}

static __always_inline bool bytes__copy_packet(struct __sk_buff *ctx, __u32 at, __u64 *to, __u32 words)
{
	const unsigned char *from = (const unsigned char *)(long)ctx->data + at;

	if (from + words * sizeof(*to) > (const unsigned char *)(long)ctx->data_end)
		return false;
	return bytes__copy(from, to, words);
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
static __always_inline void bytes__of_skb(struct dpt_bytes *bytes, struct sk_buff *skb, const unsigned char *start,
					  __s64 network_from_data)
{
	__s64 available = (__s64)(skb->len - skb->data_len) - network_from_data;

	bytes->ctx = NULL;
	bytes->start = start;
	bytes->offset = 0;
	bytes->available = available > 0 ? (__u32)available : 0;
	bytes->protocol = bpf_ntohs(skb->protocol);
}

/* At netif_receive_skb the network header's offset is that of the hop before; the data begins with the network header.
 */
static __always_inline void bytes__of_data(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, skb->data, 0);
}

/* Everywhere else the network header is where the skb says it is. */
static __always_inline void bytes__of_network_header(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, skb->head + skb->network_header,
		      (__s64)skb->network_header - (skb->data - skb->head));
}

/* Since 6.18 skb->data and skb->head are typed pointers to the verifier, which walks what adds to them once for each
 * place that they may have moved to. What a helper has read is a number.
 */
static __always_inline void bytes__untype(struct dpt_bytes *bytes)
{
	const unsigned char *typed = bytes->start;

	bpf_probe_read_kernel(&bytes->start, sizeof(bytes->start), &typed);
}
