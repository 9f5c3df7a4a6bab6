/* A look at what most packets that are not ours can be told by, before anything else is read: the addresses of an IPv4
 * header and, in VXLAN, of the one inside. Says "no" only when a full reading would; all else goes the long way.
 */
#pragma once

#include "identity.bpf.h"

/* Both are read whole, and three words of eight bytes are the cheapest to read: an IPv4 header without options, and the
 * ports.
 */
struct quick_header {
	__u8 version_ihl;
	__u8 tos;
	__be16 total_length;
	__be16 id;
	__be16 fragment;
	__u8 ttl;
	__u8 protocol;
	__u16 checksum;
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
};

/* What VXLAN in such a packet has inside: the end of an Ethernet header, an IPv4 header up to its addresses. */
struct quick_inner {
	__u8 mac[2];
	__be16 protocol;
	__u8 version_ihl;
	__u8 before_addresses[11];
	__be16 addresses[4];
};

/* Nothing was ever followed, and there is an address to tell by. */
static __always_inline bool quick__applies(void)
{
	return !following && (config.pod_count || config.peer_count);
}

static __always_inline bool quick__matches(__be32 source, __be32 destination)
{
	const struct dpt_words from = {{0, 0, MAPPED_PREFIX, source}}, to = {{0, 0, MAPPED_PREFIX, destination}};

	return filter__matches_addresses(&from, &to);
}

enum quick_answer {
	QUICK_NOT_OURS,
	QUICK_UNKNOWN,
	QUICK_LOOK_INSIDE, /* a VXLAN packet by its port */
};

static __always_inline enum quick_answer quick__outer(const struct quick_header *header)
{
	if (header->version_ihl != 0x45 || quick__matches(header->source, header->destination))
		return QUICK_UNKNOWN;
	switch (header->protocol) {
	case IPPROTO_UDP:
		if (header->fragment & bpf_htons(IP_OFFSET_MASK))
			return QUICK_NOT_OURS;
		if (is_vxlan_port(bpf_ntohs(header->destination_port)))
			return QUICK_LOOK_INSIDE;
		if (config.geneve_port && header->destination_port == bpf_htons(config.geneve_port))
			return QUICK_UNKNOWN;
		return QUICK_NOT_OURS;
	case IPPROTO_GRE:
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return QUICK_UNKNOWN;
	}
	return QUICK_NOT_OURS;
}

static __always_inline bool quick__inner_is_not_ours(const struct quick_inner *inner)
{
	__be32 source, destination;

	if (inner->protocol != bpf_htons(ETH_P_IP) || inner->version_ihl >> 4 != 4)
		return false;
	source = inner->addresses[0] | (__be32)inner->addresses[1] << 16;
	destination = inner->addresses[2] | (__be32)inner->addresses[3] << 16;
	return !quick__matches(source, destination);
}

/* Behind IPv4, UDP, VXLAN and all but four bytes of Ethernet. */
#define QUICK_INNER_OFFSET (20 + 8 + 8 + 10)

/* For a tracing program: two short reads at most. Beyond the linear part they may read what means nothing; but then the
 * full reading finds no header there either, and the packet is not ours.
 */
static __always_inline bool quick__is_not_ours(struct sk_buff *skb, const unsigned char *network_header)
{
	struct quick_header header;
	struct quick_inner inner;

	if (!quick__applies() || skb->protocol != bpf_htons(ETH_P_IP))
		return false;
	if (bpf_probe_read_kernel(&header, sizeof(header), network_header))
		return false;
	switch (quick__outer(&header)) {
	case QUICK_NOT_OURS:
		return true;
	case QUICK_LOOK_INSIDE:
		if (bpf_probe_read_kernel(&inner, sizeof(inner), network_header + QUICK_INNER_OFFSET))
			return false;
		return quick__inner_is_not_ours(&inner);
	case QUICK_UNKNOWN:
		break;
	}
	return false;
}

/* For a network program: no helper at all. */
static __always_inline bool quick__context_is_not_ours(struct __sk_buff *ctx, __u32 offset)
{
	const unsigned char *end = (const unsigned char *)(long)ctx->data_end;
	const struct quick_header *header = (const void *)((const unsigned char *)(long)ctx->data + offset);
	const struct quick_inner *inner = (const void *)((const unsigned char *)header + QUICK_INNER_OFFSET);

	if (!quick__applies() || ctx->protocol != bpf_htons(ETH_P_IP) || (const unsigned char *)(header + 1) > end)
		return false;
	switch (quick__outer(header)) {
	case QUICK_NOT_OURS:
		return true;
	case QUICK_LOOK_INSIDE:
		return (const unsigned char *)(inner + 1) <= end && quick__inner_is_not_ours(inner);
	case QUICK_UNKNOWN:
		break;
	}
	return false;
}

static __always_inline const unsigned char *quick__network_header(struct sk_buff *skb)
{
	return skb->head + skb->network_header;
}
