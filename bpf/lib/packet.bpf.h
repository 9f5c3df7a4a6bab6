/* packet__fill_l4 fills what is told of a packet, and packet__key makes its key, which neither NAT nor encapsulation
 * changes. Both are made of the innermost IP header and the beginning of what it carries, however these were found
 * (common.bpf.h, walk.bpf.h).
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

/* union dpt_l4 is the beginning of what an IP packet carries. */
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
		__be32 vxlan_id; /* the VNI, and eight reserved bits behind it */
	} vxlan;
	struct {
		__u8 type;
		__u8 code;
		__be16 checksum;
		__be16 id;
		__be16 sequence;
		__be32 content[2];
	} icmp;
	struct {
		__u8 flags;
		__u8 version;
		__be16 protocol;
		__be16 payload_length; /* of PPTP, whose call id follows */
		__be16 call;
	} gre;
	__u32 halves[8]; /* behind an IPv4 header the union is aligned to four bytes only */
};

enum { L4_WORDS = sizeof(union dpt_l4) / sizeof(__u64) };

static __always_inline __u64 l4__word(const union dpt_l4 *l4, __u32 number)
{
	return (__u64)l4->halves[2 * number] << 32 | l4->halves[2 * number + 1];
}

/* unknown_zero is always 0, but the verifier does not know that: it forgets what it has learned about a value when
 * unknown_zero is added. Otherwise it would walk all that follows once for each combination of what came before.
 */
__u32 unknown_zero __weak = 0;

#define forget(value) ((value) + *(volatile __u32 *)&unknown_zero)

/* `following` is the time when something was last followed, to RENEW_FOLLOWING_NS. 0: nothing is followed, and a packet
 * whose addresses do not match is done. User space takes it back to 0 after BELIEF_NS.
 */
__u64 following __weak = 0;

/* struct dpt_seen is what a program has read of a packet. */
struct dpt_seen {
	struct dpt_flow flow;
	struct dpt_tunnel tunnel; /* .kind DPT_TUNNEL_NONE: there is none */
	volatile __u8 forgotten[4];
	__u32 quotes_ours; /* true for an ICMP error about a packet of ours, as it is after NAT */
	__u64 key;
	__u64 datagram; /* a hash of what the fragments of one datagram have in common, 0: no fragment */
	__u64 now;
};

/* forget_byte() makes the verifier forget a value for good: it keeps nothing of a byte that is stored at an odd place
 * in memory, and asks no further where the byte comes from. Sizes and indices need this, because the verifier otherwise
 * takes everything that they were made of for decisive.
 */
static __always_inline __u8 forget_byte(struct dpt_seen *seen, __u8 value)
{
	asm volatile("" : : "r"(seen)); /* *seen stays whole, and in memory */
	seen->forgotten[1] = value;
	return seen->forgotten[1];
}

/* Clears with zeroes that the verifier does not know to be zero: otherwise it walks what follows twice, with bytes that
 * were read and with bytes that were not.
 */
static __always_inline void l4__clear(union dpt_l4 *l4)
{
#pragma unroll
	for (__u32 i = 0; i < 2 * L4_WORDS; i++)
		l4->halves[i] = *(volatile __u32 *)&unknown_zero;
}

static __always_inline void seen__clear(struct dpt_seen *seen)
{
	__u64 *words = (__u64 *)seen;

#pragma unroll
	for (__u32 i = 0; i < sizeof(*seen) / sizeof(*words); i++)
		words[i] = forget((__u64)0);
}

/* Forgets all fields before .now, where many ways of reading meet. */
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

/* Returns a hash of what the fragments of one datagram have in common, 0: no fragment. Later fragments have no ports:
 * they are known by it as parts of the datagram whose first fragment was seen. The hash leaves out the protocol of
 * IPv6, as reassembly does: that of a later fragment may be that of an extension header.
 */
static __always_inline __u64 flow__datagram(const struct dpt_flow *flow)
{
	const __u32 *source = (const __u32 *)flow->source.bytes;
	const __u32 *destination = (const __u32 *)flow->destination.bytes;
	__u64 hash;

	if (!(flow->fragment & (IP_MF | IP_OFFSET_MASK)))
		return 0;
	hash = hash__mix(flow->ip_id, flow->family == 6 ? 0 : flow->protocol);
#pragma unroll
	for (__u32 i = 0; i < 4; i++)
		hash = hash__mix(hash, (__u64)source[i] << 32 | destination[i]);
	return hash | 1;
}

enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_ACK = 16,
	TCP_FLAGS_OFFSET = 13,
};

/* enum dpt_wanted says which packets are read although the filter does not match them. */
enum dpt_wanted {
	WANT_NOTHING,
	WANT_BEGINNINGS, /* packets in no tunnel; of TCP those that open a connection: later ones will be known */
	WANT_ALL,
	WANT_TRANSLATED, /* packets that may have the addresses and ports that NAT gave to packets of ours */
};

static __always_inline bool tcp__opens(__u8 flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* enum dpt_content says what of layer 4 is the packet's own, and goes into its key. Tables and few branches find it,
 * because the verifier walks what follows a branch once for each outcome that it can tell.
 */
enum dpt_content {
	CONTENT_ALL, /* protocols without ports, and later fragments */
	CONTENT_UDP,
	CONTENT_SCTP,
	CONTENT_GRE,
	CONTENT_PPTP,
	CONTENT_ICMP,
	CONTENT_ICMP_WITH_ID,
	CONTENT_ICMP_ERROR,
	CONTENT_TCP,
	CONTENT_TCP_BARE,
	CONTENT_TCP_TIMED,
	CONTENT_TCP_TIMED_BARE,
	CONTENT_TCP_SYN,
	CONTENT_TCP_SYN_TIMED,
	CONTENTS = 16, /* a power of two, for the verifier */
};

static const __u8 content_of_protocol[256] = {
	[IPPROTO_ICMP] = CONTENT_ICMP, [IPPROTO_TCP] = CONTENT_TCP,	[IPPROTO_UDP] = CONTENT_UDP,
	[IPPROTO_DCCP] = CONTENT_UDP,  [IPPROTO_GRE] = CONTENT_GRE,	[IPPROTO_ICMPV6] = CONTENT_ICMP,
	[IPPROTO_SCTP] = CONTENT_SCTP, [IPPROTO_UDPLITE] = CONTENT_UDP,
};

/* The first row is for ICMP, the second for ICMPv6. An echo and its like have an id. NAT rewrites it, as it rewrites
 * the packet that an error quotes.
 */
static const __u8 content_of_icmp[2][256] = {
	{
		[0] = CONTENT_ICMP_WITH_ID,
		[1 ... 2] = CONTENT_ICMP,
		[3 ... 5] = CONTENT_ICMP_ERROR,
		[6 ... 7] = CONTENT_ICMP,
		[8] = CONTENT_ICMP_WITH_ID,
		[9 ... 10] = CONTENT_ICMP,
		[11 ... 12] = CONTENT_ICMP_ERROR,
		[13 ... 18] = CONTENT_ICMP_WITH_ID,
		[19 ... 255] = CONTENT_ICMP,
	},
	{
		[0 ... 127] = CONTENT_ICMP_ERROR,
		[128 ... 129] = CONTENT_ICMP_WITH_ID,
		[130 ... 255] = CONTENT_ICMP,
	},
};

#define TOLD(first, second) ((__u64)__bpf_constant_htonl(first) << 32 | __bpf_constant_htonl(second))
#define ALL_TOLD (~0ULL)

/* content_told has masks of the bytes that go into the key. Ports, ICMP ids and checksums are left out, because NAT
 * rewrites them. PSH and FIN are left out, because segmentation takes them from all segments but the last; FIN counts
 * when there is no payload to segment. The segment size of a SYN, which stands before its other options, is left out,
 * because it may be rewritten. Time stamps tell like segments apart: IPv6 gives segments no id, and IPv4 gives none to
 * a SYN-ACK. An ICMP error counts with the first eight bytes of the packet that it quotes, which have neither addresses
 * nor a checksum.
 */
static const __u64 content_told[CONTENTS][4] = {
	[CONTENT_ALL] = {ALL_TOLD, ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_UDP] = {0, ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_SCTP] = {TOLD(0, 0xffffffff), TOLD(0, 0xffffffff), ALL_TOLD, ALL_TOLD},
	[CONTENT_GRE] = {ALL_TOLD, ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_PPTP] = {TOLD(0xffffffff, 0xffff0000), ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_ICMP] = {TOLD(0xffff0000, 0xffffffff), ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_ICMP_WITH_ID] = {TOLD(0xffff0000, 0x0000ffff), ALL_TOLD, ALL_TOLD, ALL_TOLD},
	[CONTENT_ICMP_ERROR] = {TOLD(0xffff0000, 0xffffffff), ALL_TOLD, 0, 0},
	[CONTENT_TCP] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00060000), 0, 0},
	[CONTENT_TCP_BARE] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00070000), 0, 0},
	[CONTENT_TCP_TIMED] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00060000), 0, ALL_TOLD},
	[CONTENT_TCP_TIMED_BARE] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00070000), 0, ALL_TOLD},
	[CONTENT_TCP_SYN] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00070000), 0, 0},
	[CONTENT_TCP_SYN_TIMED] = {TOLD(0, 0xffffffff), TOLD(0xffffffff, 0x00070000), 0, TOLD(0, 0xffffffff)},
};

static const __u8 header_of_protocol[256] = {
	[IPPROTO_ICMP] = 8, [IPPROTO_UDP] = 8, [IPPROTO_ICMPV6] = 8, [IPPROTO_SCTP] = 12, [IPPROTO_UDPLITE] = 8,
};

enum {
	TCP_HEADER = 20,
	TCP_TIMED_HEADER = 32,		 /* when the options are the time stamps and what aligns them */
	TCP_SYN_TIMESTAMPS = 0x0402080a, /* behind the segment size: SACK permitted, time stamps and their length */
	GRE_VERSION = 7,
	GRE_PPTP = 1, /* the version whose call id NAT rewrites */
};

/* Returns how many bytes there are from the IP header to the payload of layer 4, when layer 4 begins `to_l4` bytes
 * behind the IP header's beginning. 0: not known.
 */
static __always_inline __u16 packet__headers(struct dpt_seen *seen, const union dpt_l4 *l4, __u32 to_l4)
{
	__u8 protocol = forget_byte(seen, seen->flow.protocol);
	__u32 size = header_of_protocol[protocol];

	if (protocol == IPPROTO_TCP)
		size = l4->tcp.offset >> 2 & 0x3c;
	if (size < (protocol == IPPROTO_TCP ? TCP_HEADER : 1) || flow__is_later_fragment(&seen->flow))
		return 0;
	return to_l4 + size;
}

static __always_inline enum dpt_content tcp__content(const struct dpt_flow *flow, const union dpt_l4 *l4)
{
	enum dpt_content content = CONTENT_TCP;

	if (l4->tcp.flags & TCP_SYN)
		return l4->halves[6] == bpf_htonl(TCP_SYN_TIMESTAMPS) ? CONTENT_TCP_SYN_TIMED : CONTENT_TCP_SYN;
	if (l4->tcp.offset >> 2 >= TCP_TIMED_HEADER)
		content = CONTENT_TCP_TIMED;
	return flow->length == flow->headers ? content + 1 : content;
}

static __always_inline enum dpt_content packet__content(struct dpt_seen *seen, const union dpt_l4 *l4)
{
	enum dpt_content content = content_of_protocol[forget_byte(seen, seen->flow.protocol)];
	const struct dpt_flow *flow = &seen->flow;

	if (flow__is_later_fragment(flow))
		return CONTENT_ALL;
	if (content == CONTENT_TCP)
		return tcp__content(flow, l4);
	if (content == CONTENT_ICMP)
		return content_of_icmp[flow->family == 6][l4->icmp.type];
	if (content == CONTENT_GRE && (l4->gre.version & GRE_VERSION) == GRE_PPTP)
		return CONTENT_PPTP;
	return content;
}

/* Returns the key. *l4 is zero behind the bytes that are there. `flow_label` is that of IPv6, else 0: the sender
 * chooses it, and neither NAT nor a tunnel changes it. The length of a TCP packet is left out, because segmentation
 * decides about it.
 */
static __always_inline __u64 packet__key(struct dpt_seen *seen, const union dpt_l4 *l4, __u32 flow_label)
{
	__u32 content = forget_byte(seen, packet__content(seen, l4)) & (CONTENTS - 1);
	const struct dpt_flow *flow = &seen->flow;
	__u32 length = forget(content >= CONTENT_TCP ? 0 : flow->length);
	__u64 key = hash__mix((__u64)flow_label << 16 | flow->family << 8 | flow->protocol,
			      (__u64)flow->ip_id << 16 | (flow->fragment & ~IP_DF));

	key = hash__mix(key, (__u64)length << 8 | content);
#pragma unroll
	for (__u32 i = 0; i < L4_WORDS; i++)
		key = hash__mix(key, l4__word(l4, i) & content_told[content][i]);
	return key;
}

/* Fills what a record tells of layer 4: all of flow->l4, the TCP fields and .headers are written. */
static __always_inline void packet__fill_l4(struct dpt_seen *seen, const union dpt_l4 *l4, __u32 to_l4)
{
	struct dpt_flow *flow = &seen->flow;

	flow->l4.port.source = 0;
	flow->l4.port.destination = 0;
	flow->sequence = 0;
	flow->acknowledgment = 0;
	flow->tcp_flags = 0;
	flow->headers = forget(packet__headers(seen, l4, to_l4));
	if (flow__is_later_fragment(flow))
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
	if (flow->protocol == IPPROTO_TCP) {
		flow->sequence = bpf_ntohl(l4->tcp.sequence);
		flow->acknowledgment = bpf_ntohl(l4->tcp.acknowledgment);
		flow->tcp_flags = l4->tcp.flags;
	}
}

enum {
	VXLAN_PORT = 4789,
	VXLAN_PORT_LINUX = 8472, /* the kernel's own choice, which Flannel and Cilium use */
	GENEVE_PORT = 6081,
};

/* tunnel_ports has DPT_PORT_* by UDP port, where devices say so; 0: not known, and the usual port counts. User space
 * writes it, and `tunnel_ports_told` when there is a port that is not as usual.
 */
__u8 tunnel_ports[DPT_UDP_PORTS] __weak = {};
__u32 tunnel_ports_told __weak = 0;

static __always_inline bool tunnel_port__is(__u32 port, __u8 kind, bool usual)
{
	__u8 told;

	if (!tunnel_ports_told)
		return usual;
	/* The asm keeps the compiler from leaving out the mask below: 5.10 knows no bounds of a value whose bytes were
	 * swapped.
	 */
	asm volatile("" : "+r"(port));
	told = tunnel_ports[port & 0xffff];
	return told ? told & kind : usual;
}

static __always_inline bool is_vxlan_port(__u16 port)
{
	return tunnel_port__is(port, DPT_PORT_VXLAN, port == VXLAN_PORT || port == VXLAN_PORT_LINUX);
}

static __always_inline bool is_geneve_port(__u16 port)
{
	return tunnel_port__is(port, DPT_PORT_GENEVE, port == GENEVE_PORT);
}
