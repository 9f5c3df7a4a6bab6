/* The walk goes through any headers to the innermost one: IPv4 with options, IPv6 with extension headers, fragments,
 * VXLAN, Geneve, GRE, IPIP. It is slow and complete; common.bpf.h reads most packets.
 */
#pragma once

#include "packet.bpf.h"

#define MAX_EXTENSION_HEADERS 4

/* struct dpt_header tells where an IP header stands, and what decides about its packet. The fields are volatile and
 * have less than eight bytes: the verifiers keep nothing of what is stored so, and walk what follows once for all ways
 * that lead there.
 */
struct dpt_header {
	volatile __u16 offset; /* from the outermost network header */
	volatile __u16 l4_offset;
	volatile __u32 length; /* of the IP packet */
	volatile __u32 ip_id;
	volatile __u32 flow_label; /* of IPv6, else 0 */
	volatile __u16 fragment;   /* as struct dpt_flow has it */
	volatile __u8 protocol;
	volatile __u8 is_ipv6;
};

struct dpt_walk {
	struct dpt_header inner; /* the innermost header */
	struct dpt_header outer; /* the header around it; without a tunnel the same header */
	__u32 tunnel_id;
	__u16 tunnel_port;
	__u16 tunnel_kind; /* DPT_TUNNEL_NONE: there is none */
};

static __always_inline __u16 load_u16(const __u8 *p)
{
	return (__u16)p[0] << 8 | p[1];
}

static __always_inline __u32 load_u32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

static __always_inline bool header__is_later_fragment(const struct dpt_header *header)
{
	return header->fragment & IP_OFFSET_MASK;
}

/* header__read_ipv4 and header__read_ipv6 return -1 when there is no such header, else whether an address matches. */
static __always_inline int header__read_ipv4(const struct dpt_bytes *bytes, struct dpt_header *header)
{
	struct ipv4_header ip;

	if (!bytes__read(bytes, header->offset, &ip, sizeof(ip)) || ip.version_ihl < 0x45 || ip.version_ihl > 0x4f)
		return -1;
	header->l4_offset = header->offset + (ip.version_ihl & 15) * 4;
	header->length = bpf_ntohs(ip.total_length);
	header->protocol = ip.protocol;
	header->ip_id = bpf_ntohs(ip.id);
	header->fragment = bpf_ntohs(ip.fragment);
	header->is_ipv6 = 0;
	header->flow_label = 0;
	return filter__matches_ipv4(ip.source, ip.destination);
}

static __always_inline int header__read_ipv6(const struct dpt_bytes *bytes, struct dpt_header *header)
{
	struct ipv6_header ip;
	__u32 next, at;

	if (!bytes__read(bytes, header->offset, &ip, sizeof(ip)) || ip.version_class[0] >> 4 != 6)
		return -1;
	header->length = bpf_ntohs(ip.payload_length) + sizeof(ip);
	header->ip_id = 0;
	header->fragment = 0;
	header->is_ipv6 = 1;
	header->flow_label = load_u32(ip.version_class) & 0xfffff;
	next = ip.next_header;
	at = header->offset + sizeof(ip);
#pragma unroll
	for (int i = 0; i < MAX_EXTENSION_HEADERS; i++) {
		__u8 extension[8];

		if (next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING && next != IPPROTO_DSTOPTS &&
		    next != IPPROTO_FRAGMENT)
			break;
		if (!bytes__read(bytes, at, extension, sizeof(extension)))
			break;
		if (next == IPPROTO_FRAGMENT) {
			__u16 field = load_u16(extension + 2);

			header->fragment = field >> 3 | (field & 1) << 13;
			header->ip_id = load_u32(extension + 4);
			at += 8;
			/* The rest of a later fragment is payload, whatever its first byte says. */
			if (header__is_later_fragment(header)) {
				next = extension[0];
				break;
			}
		} else {
			at += ((__u32)extension[1] + 1) * 8;
		}
		next = extension[0];
	}
	header->protocol = next;
	header->l4_offset = at;
	return filter__matches_ipv6(ip.source, ip.destination);
}

/* Returns false when there is no IP header at header->offset. Sets *matches when the header belongs to a packet that
 * was asked for.
 */
static __always_inline bool header__read(const struct dpt_bytes *bytes, __u16 protocol, struct dpt_header *header,
					 __u32 *matches)
{
	int match = -1;

	if (protocol == ETH_P_IP)
		match = header__read_ipv4(bytes, header);
	else if (protocol == ETH_P_IPV6)
		match = header__read_ipv6(bytes, header);
	if (match < 0)
		return false;
	header->l4_offset = forget(header->l4_offset);
	header->length = forget(header->length);
	header->protocol = forget(header->protocol);
	header->ip_id = forget(header->ip_id);
	header->fragment = forget(header->fragment);
	header->is_ipv6 = forget(header->is_ipv6);
	header->flow_label = forget(header->flow_label);
	if (match && filter__matches_protocol(header->protocol)) {
		__be16 ports[2];

		if (!config.port)
			*matches = 1;
		else if (filter__has_ports(header->protocol) && !header__is_later_fragment(header) &&
			 bytes__read(bytes, header->l4_offset, ports, sizeof(ports)))
			*matches |= filter__matches_ports(ports[0], ports[1]);
	}
	return true;
}

/* Steps over VLAN tags, two at most, and returns the EtherType behind them. 0: they are not in the linear part. */
static __always_inline __u16 tags__skip(const struct dpt_bytes *bytes, __u16 protocol, __u32 *offset)
{
#pragma unroll
	for (int i = 0; i < 2; i++) {
		__u8 tag[4];

		if (!is_vlan(protocol))
			break;
		if (!bytes__read(bytes, *offset, tag, sizeof(tag)))
			return 0;
		*offset += sizeof(tag);
		protocol = load_u16(tag + 2);
	}
	return protocol;
}

/* Returns the EtherType of the packet in a tunnel, behind the Ethernet header when the tunnel carries frames. 0: there
 * is nothing for us.
 */
static __always_inline __u16 tunnel__inner(const struct dpt_bytes *bytes, __u16 protocol, __u32 *offset)
{
	__u8 ethernet[14];

	if (protocol != ETH_P_TEB)
		return protocol;
	if (!bytes__read(bytes, *offset, ethernet, sizeof(ethernet)))
		return 0;
	*offset += sizeof(ethernet);
	return load_u16(ethernet + 12);
}

static __always_inline __u16 tunnel__open_gre(const struct dpt_bytes *bytes, struct dpt_walk *walk, __u32 *offset)
{
	__u32 at = walk->outer.l4_offset;
	__u8 header[12];
	__u32 has_key;
	__u16 flags;

	if (!bytes__read(bytes, at, header, sizeof(header)))
		return 0;
	flags = load_u16(header);
	if (flags & 0x4007) /* the header has a route, or is of another version */
		return 0;
	has_key = flags >> 13 & 1;
	walk->tunnel_kind = DPT_TUNNEL_GRE;
	walk->tunnel_id = has_key * load_u32(flags & 0x8000 ? header + 8 : header + 4);
	*offset = at + 4 + 4 * ((flags >> 15) + has_key + (flags >> 12 & 1));
	return tunnel__inner(bytes, load_u16(header + 2), offset);
}

static __always_inline __u16 tunnel__open_udp(const struct dpt_bytes *bytes, struct dpt_walk *walk, __u32 *offset)
{
	__u32 at = walk->outer.l4_offset;
	__u16 port, inner = ETH_P_TEB;
	__u8 header[16];
	bool geneve;

	if (!bytes__read(bytes, at, header, sizeof(header)))
		return 0;
	port = load_u16(header + 2);
	geneve = is_geneve_port(port);
	if (!geneve && !is_vxlan_port(port))
		return 0;
	walk->tunnel_kind = geneve ? DPT_TUNNEL_GENEVE : DPT_TUNNEL_VXLAN;
	walk->tunnel_port = port;
	walk->tunnel_id = load_u32(header + 12) >> 8;
	*offset = at + sizeof(header);
	if (geneve) {
		*offset += (header[8] & 0x3f) * 4;
		inner = load_u16(header + 10);
	}
	return tunnel__inner(bytes, inner, offset);
}

/* Looks for a packet inside walk->outer. Returns the packet's ETH_P_* and moves *offset to it. 0: there is none. */
static __always_inline __u16 tunnel__open(const struct dpt_bytes *bytes, struct dpt_walk *walk, __u32 *offset)
{
	if (header__is_later_fragment(&walk->outer))
		return 0;
	switch (walk->outer.protocol) {
	case IPPROTO_UDP:
		return tunnel__open_udp(bytes, walk, offset);
	case IPPROTO_GRE:
		return tunnel__open_gre(bytes, walk, offset);
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		walk->tunnel_kind = DPT_TUNNEL_IPIP;
		*offset = walk->outer.l4_offset;
		return walk->outer.protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6;
	}
	return 0;
}

/* Walks to the innermost header. Returns false when there is no IP at all. Sets *matches when a header on the way
 * matches.
 */
static __always_inline bool walk__headers(const struct dpt_bytes *bytes, struct dpt_walk *walk, __u32 *matches)
{
	__u32 offset = 0;
	__u16 inner;

	__builtin_memset(walk, 0, sizeof(*walk));
	inner = tags__skip(bytes, bytes->protocol, &offset);
	walk->outer.offset = forget(offset);
	if (!header__read(bytes, forget(inner), &walk->outer, matches))
		return false;
	inner = tunnel__open(bytes, walk, &offset);
	walk->inner.offset = forget(offset);
	if (!inner || !header__read(bytes, inner, &walk->inner, matches)) {
		walk->inner = walk->outer;
		walk->tunnel_kind = DPT_TUNNEL_NONE;
	}
	walk->tunnel_kind = forget(walk->tunnel_kind);
	walk->tunnel_id = forget(walk->tunnel_id);
	walk->tunnel_port = forget(walk->tunnel_port);
	return true;
}

static __always_inline bool walk__is_wanted(const struct dpt_bytes *bytes, const struct dpt_walk *walk,
					    enum dpt_wanted wanted)
{
	__u8 flags = 0;

	if (wanted == WANT_ALL)
		return true;
	/* A later fragment has no ports: it is ours when the first one is. */
	if (header__is_later_fragment(&walk->inner))
		return following;
	if (wanted == WANT_NOTHING || walk->tunnel_kind != DPT_TUNNEL_NONE)
		return false;
	if (walk->inner.protocol != IPPROTO_TCP)
		return true;
	bytes__read(bytes, walk->inner.l4_offset + TCP_FLAGS_OFFSET, &flags, sizeof(flags));
	return tcp__opens(flags);
}

static __always_inline void header__addresses(const struct dpt_bytes *bytes, const struct dpt_header *header,
					      struct dpt_address *source, struct dpt_address *destination)
{
	__be32 ipv4[2] = {};

	if (header->is_ipv6) {
		bytes__read(bytes, header->offset + offsetof(struct ipv6_header, source), source->bytes, 16);
		bytes__read(bytes, header->offset + offsetof(struct ipv6_header, destination), destination->bytes, 16);
		return;
	}
	bytes__read(bytes, header->offset + offsetof(struct ipv4_header, source), ipv4, sizeof(ipv4));
	address__of_ipv4(source, ipv4[0]);
	address__of_ipv4(destination, ipv4[1]);
}

/* Masks stand in for conditions: the verifier walks all the ways to the header once for each number that it can tell
 * apart here, the more so as the number is a size.
 */
static __always_inline __s64 all_ones_if_negative(__s64 value)
{
	value >>= 63;
	asm volatile("" : "+r"(value)); /* without this the compiler makes a condition of it again */
	return value;
}

static __always_inline __s64 smaller_of(__s64 a, __s64 b)
{
	return b + ((a - b) & all_ones_if_negative(a - b));
}

/* Returns how many bytes of what the packet carries tell it apart and are in the linear part. 0 or less: none. */
static __always_inline __s64 header__l4_size(const struct dpt_bytes *bytes, const struct dpt_header *header)
{
	__s64 there = (__s64)bytes->available - header->l4_offset;
	/* The bytes that pad a short frame are behind the packet. */
	__s64 carried = (__s64)header->length - (header->l4_offset - header->offset);
	/* No header tells the length of a TCP packet of more than 64 KiB (BIG TCP). */
	__s64 is_tcp = all_ones_if_negative((header->protocol ^ IPPROTO_TCP) - 1);
	__s64 untold = all_ones_if_negative(carried - 1) & is_tcp;
	__s64 size = smaller_of((carried & ~untold) | (sizeof(union dpt_l4) & untold), sizeof(union dpt_l4));
	/* The rest is in pages. How much of it has been pulled out of them must not matter much: only whole words
	 * count.
	 */
	__s64 is_cut = all_ones_if_negative(there - size);

	return (size & ~is_cut) | (there & ~7 & is_cut);
}

/* Reads into *l4, which the caller has cleared: it stays zero behind the bytes that are there. */
static __always_inline void header__l4(const struct dpt_bytes *bytes, const struct dpt_header *header,
				       struct dpt_seen *seen, union dpt_l4 *l4)
{
	__s64 size = header__l4_size(bytes, header);

	size = forget_byte(seen, size & ~all_ones_if_negative(size));
	if (size)
		bytes__read(bytes, header->l4_offset, l4, ((size - 1) & (sizeof(*l4) - 1)) + 1);
}

static __always_inline void walk__fill(const struct dpt_bytes *bytes, const struct dpt_walk *walk,
				       struct dpt_seen *seen)
{
	const struct dpt_header *header = &walk->inner;
	struct dpt_tunnel *tunnel = &seen->tunnel;
	struct dpt_flow *flow = &seen->flow;
	union dpt_l4 l4;

	l4__clear(&l4);
	seen__clear(seen);
	header__l4(bytes, header, seen, &l4);

	header__addresses(bytes, header, &flow->source, &flow->destination);
	flow->family = header->is_ipv6 ? 6 : 4;
	flow->protocol = header->protocol;
	flow->length = header->length;
	flow->ip_id = header->ip_id;
	flow->fragment = header->fragment;
	bytes__read(bytes, header->offset + (header->is_ipv6 ? 7 : 8), &flow->ttl, 1);
	packet__fill_l4(seen, &l4, header->l4_offset - header->offset);
	seen->key = packet__key(seen, &l4, header->flow_label);
	seen->datagram = flow__datagram(flow);
	if (walk->tunnel_kind == DPT_TUNNEL_NONE)
		return;
	header__addresses(bytes, &walk->outer, &tunnel->source, &tunnel->destination);
	tunnel->id = walk->tunnel_id;
	tunnel->port = walk->tunnel_port;
	tunnel->family = walk->outer.is_ipv6 ? 6 : 4;
	tunnel->kind = walk->tunnel_kind;
}
