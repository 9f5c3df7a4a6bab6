/* struct dpt_bytes says where a program reads a packet's bytes from: the context of a network program, or the memory of
 * an sk_buff.
 */
#pragma once

#include "config.bpf.h"

struct dpt_bytes {
	struct __sk_buff *ctx;	    /* NULL in tracing programs */
	const unsigned char *start; /* the network header; tracing programs only */
	__u32 offset;		    /* offset of the network header in the packet; network programs only */
	volatile __u32 available;   /* bytes from the network header to the end of the linear part */
	__u16 protocol;		    /* ETH_P_* of the network header */
};

/* Returns false when the bytes are not in the linear part; nothing was read then. */
static __always_inline bool bytes__read(const struct dpt_bytes *bytes, __u32 at, void *to, __u32 size)
{
	if (at + size > bytes->available)
		return false;
	if (bytes->ctx)
		return bpf_skb_load_bytes(bytes->ctx, bytes->offset + at, to, size) == 0;
	return bpf_probe_read_kernel(to, size, bytes->start + at) == 0;
}

/* bytes__read_words does the same in words, without a helper where the kernel allows that. `at` and `size` have to be
 * constants, and `size` a multiple of four.
 */
#define bytes__read_words(bytes, at, to, size)                                                                         \
	({                                                                                                             \
		bool read = false;                                                                                     \
                                                                                                                       \
		if ((at) + (size) > (bytes)->available)                                                                \
			;                                                                                              \
		else if ((bytes)->ctx)                                                                                 \
			read = bytes__copy_packet((bytes)->ctx, (bytes)->offset + (at), (__u64 *)(to), (size));        \
		else if (config.reads_directly)                                                                        \
			read = bytes__copy((bytes)->start + (at), (__u64 *)(to), (size));                              \
		else                                                                                                   \
			read = bpf_probe_read_kernel((to), (size), (bytes)->start + (at)) == 0;                        \
		read;                                                                                                  \
	})

static __always_inline bool bytes__copy(const unsigned char *start, __u64 *to, __u32 size)
{
	const __u64 *from = (const void *)start;

#pragma unroll
	for (__u32 i = 0; i < 8; i++) {
		if (8 * (i + 1) <= size)
			to[i] = from[i];
	}
	if (size & 4)
		*(__u32 *)&to[size / 8] = *(const __u32 *)&from[size / 8];
	return true;
}

static __always_inline bool bytes__copy_packet(struct __sk_buff *ctx, __u32 at, __u64 *to, __u32 size)
{
	const unsigned char *from = (const unsigned char *)(long)ctx->data + at;

	if (from + size > (const unsigned char *)(long)ctx->data_end)
		return false;
	return bytes__copy(from, to, size);
}

/* Fills *bytes for a network program. `offset` is 0 where the packet begins with its network header, else the length of
 * its link header.
 */
static __always_inline void bytes__of_context(struct dpt_bytes *bytes, struct __sk_buff *ctx, __u32 offset)
{
	bytes->ctx = ctx;
	bytes->start = NULL;
	bytes->offset = offset;
	/* The asm makes this difference a number before the offset is subtracted. 5.10 forgets the bounds of a value
	 * that it keeps on the stack, and refuses to add such a value to a packet pointer or to subtract it.
	 */
	bytes->available = ctx->data_end - ctx->data;
	asm volatile("" : "+r"(bytes->available));
	bytes->available -= offset;
	if ((__s32)bytes->available < 0)
		bytes->available = 0;
	bytes->protocol = bpf_ntohs(ctx->protocol);
}

/* `network_from_data` is the offset of the network header from skb->data, which may be negative: the header stands
 * before or behind skb->data.
 */
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

/* At netif_receive_skb the data begins with the network header, while skb->network_header is still that of the hop
 * before.
 */
static __always_inline void bytes__of_data(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, skb->data, 0);
}

static __always_inline struct dst_entry *skb__dst(struct sk_buff *skb)
{
	return (struct dst_entry *)(skb->_skb_refdst & SKB_DST_PTRMASK);
}

static __always_inline bool is_vlan(__u16 protocol)
{
	return protocol == ETH_P_8021Q || protocol == ETH_P_8021AD;
}

/* Finds the protocol of the network header where skb->protocol does not tell it. The protocol of a packet from a raw
 * socket is 0 until the packet leaves the IP layer (before 6.0): the family of its route tells then. A VLAN tag in the
 * packet is before the network header when the packet is sent, and may be at the header when it was received: the
 * EtherType before the header tells in both cases.
 */
static __always_inline __u16 skb__find_protocol(struct sk_buff *skb, const unsigned char *header, __u16 protocol)
{
	struct dst_entry *dst = skb__dst(skb);
	__be16 type = 0;

	if (protocol) {
		bpf_probe_read_kernel(&type, sizeof(type), header - sizeof(type));
		return bpf_ntohs(type);
	}
	if (!dst)
		return 0;
	switch (BPF_CORE_READ(dst, ops, family)) {
	case AF_INET:
		return ETH_P_IP;
	case AF_INET6:
		return ETH_P_IPV6;
	}
	return 0;
}

/* At all hooks but netif_receive_skb the network header is where the skb says it is. */
static __always_inline void bytes__of_network_header(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	bytes__of_skb(bytes, skb, skb->head + skb->network_header,
		      (__s64)skb->network_header - (skb->data - skb->head));
	if (!bytes->protocol || is_vlan(bytes->protocol))
		bytes->protocol = skb__find_protocol(skb, bytes->start, bytes->protocol);
}

/* Makes bytes->start a number to the verifier. Since 6.18 skb->data and skb->head are typed pointers, and the verifier
 * walks the code that adds to them once for each place to which they may have moved. A value that a helper has read is
 * a number.
 */
static __always_inline void bytes__untype(struct dpt_bytes *bytes)
{
	const unsigned char *typed = bytes->start;

	bpf_probe_read_kernel(&bytes->start, sizeof(bytes->start), &typed);
}
