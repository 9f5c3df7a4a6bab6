/* What is told of a packet, and the key that neither NAT nor encapsulation changes: made of the innermost IP header and
 * the beginning of what it carries, however these were found (common.bpf.h, walk.bpf.h).
 */
#pragma once

#include "bytes.bpf.h"
#include "filter.bpf.h"

enum {
	IP_OFFSET_MASK = 0x1fff,
	IP_MF = 0x2000,
	IP_DF = 0x4000,
};

struct ipv4_header {
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
};

struct ipv6_header {
	__u8 version_class[4];
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__be32 source[4];
	__be32 destination[4];
};

/* What an IP packet carries begins with. */
union dpt_l4 {
	struct {
		__be16 source;
		__be16 destination;
	} port;
	struct {
		__be16 ports[2];
		__be32 sequence;
		__be32 acknowledgment;
		__u8 offset;
		__u8 flags;
		__u8 before_options[6];
	} tcp;
	struct {
		__be16 ports[2];
		__be16 length;
		__be16 checksum;
		__be32 vxlan_flags;
		__be32 vxlan_id; /* and eight bits more */
	} vxlan;
	struct {
		__u8 type;
		__u8 code;
		__be16 checksum;
		__be16 id;
		__be16 sequence;
		__be32 content[2];
	} icmp;
	__u32 halves[8]; /* an IPv4 header before it leaves it aligned to four bytes */
};

enum { L4_WORDS = sizeof(union dpt_l4) / sizeof(__u64) };

static __always_inline __u64 l4__word(const union dpt_l4 *l4, __u32 number)
{
	return (__u64)l4->halves[2 * number] << 32 | l4->halves[2 * number + 1];
}

/* Always 0, but the verifier does not know: it forgets what it has learned about a value added to it. Without that it
 * would walk all that follows once for each combination of what came before.
 */
__u32 unknown_zero __weak = 0;

#define forget(value) ((value) + *(volatile __u32 *)&unknown_zero)

/* A packet of ours. */
struct dpt_seen {
	struct dpt_flow flow;
	struct dpt_tunnel tunnel; /* .kind DPT_TUNNEL_NONE: there is none */
	__u64 key;
	__u64 now;
};

/* Where many ways of reading meet. */
static __always_inline void seen__forget(struct dpt_seen *seen)
{
	__u64 *words = (__u64 *)seen;

#pragma unroll
	for (__u32 i = 0; i < offsetof(struct dpt_seen, now) / sizeof(*words); i++)
		words[i] = forget(words[i]);
}

static __always_inline void address__of_ipv4(struct dpt_address *address, __be32 ipv4)
{
	__u32 *words = (__u32 *)address->bytes;

	words[0] = 0;
	words[1] = 0;
	words[2] = MAPPED_PREFIX;
	words[3] = ipv4;
}

static __always_inline bool flow__is_later_fragment(const struct dpt_flow *flow)
{
	return flow->fragment & IP_OFFSET_MASK;
}

static __always_inline __u64 hash__mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
};

/* Addresses, ports and ICMP ids are left out: NAT changes them. TCP flags are left out: segmentation takes PSH and FIN
 * from all segments but the last. `words` is how many of l4 are there.
 */
static __always_inline __u64 packet__key(const struct dpt_flow *flow, const union dpt_l4 *l4, __u32 words)
{
	__u64 key = hash__mix(flow->protocol, (__u64)flow->ip_id << 16 | (flow->fragment & ~IP_DF));

	if (flow__is_later_fragment(flow))
		return hash__mix(key, flow->length);
	switch (flow->protocol) {
	case IPPROTO_TCP:
		if (words < 2)
			return key;
		key = hash__mix(key, (__u64)l4->tcp.sequence << 32 | l4->tcp.acknowledgment);
		/* IPv6 has no id: two pure acknowledgments differ in their timestamp, where nearly all have it: behind
		 * four bytes of options. That of a SYN is rewritten.
		 */
		if (flow->family == 6 && words == L4_WORDS && !(l4->tcp.flags & TCP_SYN))
			key = hash__mix(key, l4__word(l4, 3));
		return key;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (words < 2)
			return key;
		key = hash__mix(key, (__u64)l4->icmp.type << 16 | l4->icmp.sequence);
		return hash__mix(key, l4__word(l4, 1));
	case IPPROTO_UDP:
		key = hash__mix(key, flow->length);
		if (words >= 2)
			key = hash__mix(key, l4__word(l4, 1));
		if (words >= 3)
			key = hash__mix(key, l4__word(l4, 2));
		return key;
	}
	return hash__mix(key, flow->length);
}

/* What of layer 4 a record tells. All of flow->l4 and the TCP fields are written. */
static __always_inline void packet__fill_l4(struct dpt_flow *flow, const union dpt_l4 *l4, __u32 words)
{
	flow->l4.port.source = 0;
	flow->l4.port.destination = 0;
	flow->sequence = 0;
	flow->acknowledgment = 0;
	flow->tcp_flags = 0;
	if (!words || flow__is_later_fragment(flow))
		return;
	if (flow->protocol == IPPROTO_ICMP || flow->protocol == IPPROTO_ICMPV6) {
		flow->l4.icmp.type = l4->icmp.type;
		flow->l4.icmp.code = l4->icmp.code;
		flow->l4.icmp.id = bpf_ntohs(l4->icmp.id);
		flow->sequence = bpf_ntohs(l4->icmp.sequence);
		return;
	}
	flow->l4.port.source = bpf_ntohs(l4->port.source);
	flow->l4.port.destination = bpf_ntohs(l4->port.destination);
	if (flow->protocol == IPPROTO_TCP && words >= 2) {
		flow->sequence = bpf_ntohl(l4->tcp.sequence);
		flow->acknowledgment = bpf_ntohl(l4->tcp.acknowledgment);
		flow->tcp_flags = l4->tcp.flags;
	}
}

static __always_inline bool is_vxlan_port(__u16 port)
{
#pragma unroll
	for (int i = 0; i < DPT_MAX_VXLAN_PORTS; i++) {
		if (config.vxlan_ports[i] && port == config.vxlan_ports[i])
			return true;
	}
	return false;
}

static __always_inline bool is_geneve_port(__u16 port)
{
	return config.geneve_port && port == config.geneve_port;
}
