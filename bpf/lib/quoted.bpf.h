/* ICMP errors quote the packet that they are about. */
#pragma once

#include "translated.bpf.h"

enum {
	ICMPV6_FIRST_INFORMATION = 128, /* the types below it are errors */
	ICMP_HEADER_SIZE = 8,
};

static __always_inline bool icmp__is_error(const struct dpt_flow *flow)
{
	__u8 type = flow->l4.icmp.type;

	if (flow->protocol == IPPROTO_ICMPV6)
		return type < ICMPV6_FIRST_INFORMATION;
	/* The errors are unreachable, quench and redirect (3 to 5), time exceeded and parameter problem (11 and 12). */
	return flow->protocol == IPPROTO_ICMP && ((type >= 3 && type <= 5) || type == 11 || type == 12);
}

/* Returns a hash of the ends of the quoted packet, in the direction in which it went. 0: what is quoted does not tell
 * them.
 */
static __always_inline __u64 quoted__tuple(const struct dpt_bytes *bytes, const struct dpt_flow *error)
{
	__u32 at = (error->family == 6 ? sizeof(struct ipv6_header) : sizeof(struct ipv4_header)) + ICMP_HEADER_SIZE;
	__u32 source_port, destination_port;
	struct dpt_address ends[2];
	struct dpt_tuple tuple;
	__u8 protocol = 0;
	__be16 l4[4];

	if (error->family == 6) {
		bytes__read(bytes, at + offsetof(struct ipv6_header, source), ends, sizeof(ends));
		bytes__read(bytes, at + offsetof(struct ipv6_header, next_header), &protocol, 1);
		at += sizeof(struct ipv6_header);
	} else {
		__be32 ipv4[2] = {};

		bytes__read(bytes, at + offsetof(struct ipv4_header, source), ipv4, sizeof(ipv4));
		address__of_ipv4(&ends[0], ipv4[0]);
		address__of_ipv4(&ends[1], ipv4[1]);
		bytes__read(bytes, at + offsetof(struct ipv4_header, protocol), &protocol, 1);
		at += sizeof(struct ipv4_header);
	}
	if (!bytes__read(bytes, at, l4, sizeof(l4)))
		return 0;
	source_port = bpf_ntohs(l4[0]);
	destination_port = bpf_ntohs(l4[1]);
	if (is_icmp(protocol)) {
		if (!icmp__is_echo(protocol, source_port >> 8))
			return 0;
		source_port = destination_port = bpf_ntohs(l4[2]);
	} else if (!filter__has_ports(protocol)) {
		return 0;
	}
	tuple.source = tuple__end(ends[0].bytes, source_port);
	tuple.destination = tuple__end(ends[1].bytes, destination_port);
	return tuple__hash(&tuple, protocol);
}

/* Returns whether the error is about a packet of ours, under the addresses that NAT gave it. Options and extension
 * headers do not occur here.
 */
static __always_inline bool quoted__is_translated(const struct dpt_bytes *bytes, const struct dpt_seen *seen)
{
	__u64 tuple;

	if (!translated__any(seen->now) || !icmp__is_error(&seen->flow) || seen->tunnel.kind != DPT_TUNNEL_NONE)
		return false;
	tuple = quoted__tuple(bytes, &seen->flow);
	return tuple && translated__find(tuple, seen->now) != TRANSLATED_NOT;
}
