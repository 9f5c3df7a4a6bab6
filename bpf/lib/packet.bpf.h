/* The headers of a packet: innermost and the one around it, and the key that neither NAT nor encapsulation changes.
 *
 * Reading goes in two steps. The first, which every packet pays, keeps a few scalars: where the headers are, whether
 * one matches. The second fills a record, and is for packets of ours.
 */
#pragma once

#include "bytes.bpf.h"
#include "filter.bpf.h"

enum {
	IPPROTO_HOPOPTS = 0,
	IPPROTO_ICMP = 1,
	IPPROTO_IPIP = 4,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_IPV6 = 41,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_GRE = 47,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_DSTOPTS = 60,
};

enum {
	IP_OFFSET_MASK = 0x1fff,
	MAX_EXTENSION_HEADERS = 4,
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
	__u8 source[4];
	__u8 destination[4];
};

struct ipv6_header {
	__u8 version_class[4];
	__be16 payload_length;
	__u8 next_header;
	__u8 hop_limit;
	__u8 source[16];
	__u8 destination[16];
};

/* Always 0, but the verifier does not know: it forgets what it has learned about a value added to it. Without that it
 * would walk all that follows once for each combination of what came before.
 */
__u32 unknown_zero __weak = 0;

#define forget(value) ((value) + *(volatile __u32 *)&unknown_zero)

/* Where an IP header stands, and what decides about its packet. */
struct dpt_header {
	__u32 offset; /* from the outermost network header */
	__u32 l4_offset;
	__u32 length; /* of the IP packet */
	__u32 protocol;
	__u32 ip_id;
	__u32 fragment; /* as struct dpt_flow has it */
	__u32 is_ipv6;
};

struct dpt_packet {
	struct dpt_header inner; /* innermost */
	struct dpt_header outer; /* the one around it, where there is one */
	__u32 tunnel_kind;	 /* DPT_TUNNEL_NONE: there is none */
	__u32 tunnel_id;
	__u32 tunnel_port;
};

static __always_inline __u16 load_u16(const __u8 *p)
{
	return (__u16)p[0] << 8 | p[1];
}

static __always_inline __u32 load_u32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/* These two return -1 when there is no such header, else whether an address matches. */
static __always_inline int header__read_ipv4(const struct dpt_bytes *bytes, struct dpt_header *header)
{
	struct ipv4_header ip;

	if (!bytes__read(bytes, header->offset, &ip, sizeof(ip)) || ip.version_ihl >> 4 != 4)
		return -1;
	header->l4_offset = header->offset + (ip.version_ihl & 15) * 4;
	header->length = bpf_ntohs(ip.total_length);
	header->protocol = ip.protocol;
	header->ip_id = bpf_ntohs(ip.id);
	header->fragment = bpf_ntohs(ip.fragment);
	header->is_ipv6 = 0;
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
			header->ip_id = load_u16(extension + 6);
			at += 8;
		} else {
			at += ((__u32)extension[1] + 1) * 8;
		}
		next = extension[0];
	}
	header->protocol = next;
	header->l4_offset = at;
	return filter__matches_ipv6(ip.source, ip.destination);
}

static __always_inline bool header__is_later_fragment(const struct dpt_header *header)
{
	return header->fragment & IP_OFFSET_MASK;
}

/* False when there is no IP header at header->offset. Sets *matches when it belongs to a packet that was asked for. */
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
	if (match && filter__matches_protocol(header->protocol)) {
		__u8 ports[4];

		if (!config.port)
			*matches = 1;
		else if (!header__is_later_fragment(header) &&
			 bytes__read(bytes, header->l4_offset, ports, sizeof(ports)))
			*matches |= load_u16(ports) == config.port || load_u16(ports + 2) == config.port;
	}
	return true;
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

/* What the packet in a tunnel's header, an Ethernet frame or IP itself, begins with. 0: nothing for us. */
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

static __always_inline __u16 tunnel__open_gre(const struct dpt_bytes *bytes, struct dpt_packet *packet, __u32 *offset)
{
	__u32 at = packet->outer.l4_offset;
	__u8 header[12];
	__u32 has_key;
	__u16 flags;

	if (!bytes__read(bytes, at, header, sizeof(header)))
		return 0;
	flags = load_u16(header);
	if (flags & 0x4007) /* with a route, or of another version */
		return 0;
	has_key = flags >> 13 & 1;
	packet->tunnel_kind = DPT_TUNNEL_GRE;
	packet->tunnel_id = has_key * load_u32(flags & 0x8000 ? header + 8 : header + 4);
	*offset = at + 4 + 4 * ((flags >> 15) + has_key + (flags >> 12 & 1));
	return tunnel__inner(bytes, load_u16(header + 2), offset);
}

static __always_inline __u16 tunnel__open_udp(const struct dpt_bytes *bytes, struct dpt_packet *packet, __u32 *offset)
{
	__u32 at = packet->outer.l4_offset;
	__u16 port, inner = ETH_P_TEB;
	__u8 header[16];
	bool geneve;

	if (!bytes__read(bytes, at, header, sizeof(header)))
		return 0;
	port = load_u16(header + 2);
	geneve = config.geneve_port && port == config.geneve_port;
	if (!geneve && !is_vxlan_port(port))
		return 0;
	packet->tunnel_kind = geneve ? DPT_TUNNEL_GENEVE : DPT_TUNNEL_VXLAN;
	packet->tunnel_port = port;
	packet->tunnel_id = load_u32(header + 12) >> 8;
	*offset = at + sizeof(header);
	if (geneve) {
		*offset += (header[8] & 0x3f) * 4;
		inner = load_u16(header + 10);
	}
	return tunnel__inner(bytes, inner, offset);
}

/* Looks for a packet inside packet->outer. Returns its ETH_P_* and moves *offset to it, 0 when there is none. */
static __always_inline __u16 tunnel__open(const struct dpt_bytes *bytes, struct dpt_packet *packet, __u32 *offset)
{
	if (header__is_later_fragment(&packet->outer))
		return 0;
	switch (packet->outer.protocol) {
	case IPPROTO_UDP:
		return tunnel__open_udp(bytes, packet, offset);
	case IPPROTO_GRE:
		return tunnel__open_gre(bytes, packet, offset);
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		packet->tunnel_kind = DPT_TUNNEL_IPIP;
		*offset = packet->outer.l4_offset;
		return packet->outer.protocol == IPPROTO_IPIP ? ETH_P_IP : ETH_P_IPV6;
	}
	return 0;
}

/* Walks to the innermost header. False when there is no IP at all. Sets *matches when a header on the way matches. */
static __always_inline bool packet__read(const struct dpt_bytes *bytes, struct dpt_packet *packet, __u32 *matches)
{
	__u32 offset = 0;
	__u16 inner;

	__builtin_memset(packet, 0, sizeof(*packet));
	packet->outer.offset = forget(0);
	if (!header__read(bytes, bytes->protocol, &packet->outer, matches))
		return false;
	inner = tunnel__open(bytes, packet, &offset);
	packet->inner.offset = forget(offset);
	if (!inner || !header__read(bytes, inner, &packet->inner, matches)) {
		packet->inner = packet->outer;
		packet->tunnel_kind = DPT_TUNNEL_NONE;
	}
	packet->tunnel_kind = forget(packet->tunnel_kind);
	packet->tunnel_id = forget(packet->tunnel_id);
	packet->tunnel_port = forget(packet->tunnel_port);
	return true;
}

static __always_inline __u64 hash__mix(__u64 hash, __u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

static __always_inline __u64 hash__mix_bytes(__u64 hash, const struct dpt_bytes *bytes, __u32 at)
{
	__u64 eight;

	return bytes__read(bytes, at, &eight, sizeof(eight)) ? hash__mix(hash, eight) : hash;
}

enum {
	TCP_SYN = 2,
	IP_DF = 0x4000,
};

/* Addresses, ports and ICMP ids are left out: NAT changes them. TCP flags are left out: segmentation takes PSH and FIN
 * from all segments but the last.
 */
static __always_inline __u64 packet__key(const struct dpt_bytes *bytes, const struct dpt_packet *packet)
{
	const struct dpt_header *header = &packet->inner;
	__u64 key = hash__mix(header->protocol, (__u64)header->ip_id << 16 | (header->fragment & ~IP_DF));
	__u32 at = header->l4_offset;
	__u8 l4[16];

	if (header__is_later_fragment(header))
		return hash__mix(key, header->length);
	switch (header->protocol) {
	case IPPROTO_TCP:
		if (!bytes__read(bytes, at, l4, sizeof(l4)))
			return key;
		key = hash__mix(key, (__u64)load_u32(l4 + 4) << 32 | load_u32(l4 + 8));
		/* IPv6 has no id: two pure acknowledgments differ in their timestamp option. That of a SYN is
		 * rewritten. */
		if (header->is_ipv6 && !(l4[13] & TCP_SYN))
			key = hash__mix_bytes(key, bytes, at + 24);
		return key;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (!bytes__read(bytes, at, l4, sizeof(l4)))
			return key;
		key = hash__mix(key, (__u64)l4[0] << 16 | load_u16(l4 + 6));
		return hash__mix(key, (__u64)load_u32(l4 + 8) << 32 | load_u32(l4 + 12));
	case IPPROTO_UDP:
		key = hash__mix(key, header->length);
		key = hash__mix_bytes(key, bytes, at + 8);
		return hash__mix_bytes(key, bytes, at + 16);
	}
	return hash__mix(key, header->length);
}

static __always_inline void packet__addresses(const struct dpt_bytes *bytes, const struct dpt_header *header,
					      struct dpt_address *source, struct dpt_address *destination)
{
	if (header->is_ipv6) {
		bytes__read(bytes, header->offset + 8, source->bytes, 16);
		bytes__read(bytes, header->offset + 24, destination->bytes, 16);
		return;
	}
	source->bytes[10] = source->bytes[11] = 0xff;
	destination->bytes[10] = destination->bytes[11] = 0xff;
	bytes__read(bytes, header->offset + 12, source->bytes + 12, 4);
	bytes__read(bytes, header->offset + 16, destination->bytes + 12, 4);
}

/* Into a record's memory, all of it. */
static __always_inline void packet__fill_flow(const struct dpt_bytes *bytes, const struct dpt_packet *packet,
					      struct dpt_flow *flow)
{
	const struct dpt_header *header = &packet->inner;
	__u8 l4[16] = {};

	__builtin_memset(flow, 0, sizeof(*flow));
	packet__addresses(bytes, header, &flow->source, &flow->destination);
	flow->family = header->is_ipv6 ? 6 : 4;
	flow->protocol = header->protocol;
	flow->length = header->length;
	flow->ip_id = header->ip_id;
	flow->fragment = header->fragment;
	bytes__read(bytes, header->offset + (header->is_ipv6 ? 7 : 8), &flow->ttl, 1);
	if (header__is_later_fragment(header))
		return;
	if (header->protocol == IPPROTO_TCP) {
		bytes__read(bytes, header->l4_offset, l4, sizeof(l4));
		flow->sequence = load_u32(l4 + 4);
		flow->acknowledgment = load_u32(l4 + 8);
		flow->tcp_flags = l4[13];
	} else {
		bytes__read(bytes, header->l4_offset, l4, 8);
	}
	if (header->protocol == IPPROTO_ICMP || header->protocol == IPPROTO_ICMPV6) {
		flow->l4.icmp.type = l4[0];
		flow->l4.icmp.code = l4[1];
		flow->l4.icmp.id = load_u16(l4 + 4);
		flow->sequence = load_u16(l4 + 6);
	} else {
		flow->l4.port.source = load_u16(l4);
		flow->l4.port.destination = load_u16(l4 + 2);
	}
}

static __always_inline void packet__fill_tunnel(const struct dpt_bytes *bytes, const struct dpt_packet *packet,
						struct dpt_tunnel *tunnel)
{
	__builtin_memset(tunnel, 0, sizeof(*tunnel));
	if (packet->tunnel_kind == DPT_TUNNEL_NONE)
		return;
	packet__addresses(bytes, &packet->outer, &tunnel->source, &tunnel->destination);
	tunnel->id = packet->tunnel_id;
	tunnel->port = packet->tunnel_port;
	tunnel->family = packet->outer.is_ipv6 ? 6 : 4;
	tunnel->kind = packet->tunnel_kind;
}
