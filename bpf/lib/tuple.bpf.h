/* A tuple tells from where to where a packet goes, as hashes. */
#pragma once

#include "packet.bpf.h"

/* These bits are the last ones of a hash of both ends; all others are equal for a packet and its answer. */
enum {
	TUPLE_FORWARD = 1, /* differs between a packet and its answer */
	TUPLE_BITS = 3,
};

/* struct dpt_tuple has a hash of each end of a packet's way. */
struct dpt_tuple {
	__u64 source;
	__u64 destination;
};

enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_ECHO_REQUEST = 8,
	ICMPV6_ECHO_REQUEST = 128,
	ICMPV6_ECHO_REPLY = 129,
};

static __always_inline bool is_icmp(__u8 protocol)
{
	return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static __always_inline bool icmp__is_echo(__u8 protocol, __u8 type)
{
	if (protocol == IPPROTO_ICMP)
		return type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY;
	return type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
}

static __always_inline __u64 tuple__end(const __u8 *address, __u32 port)
{
	const __u32 *words = (const __u32 *)address;

	return hash__mix(hash__mix(port, (__u64)words[0] << 32 | words[1]), (__u64)words[2] << 32 | words[3]);
}

/* Returns whether the protocol has ports or an id, and this packet has them: then flows can be told apart. */
static __always_inline bool flow__has_ends(const struct dpt_flow *flow)
{
	if (flow__is_later_fragment(flow))
		return false;
	if (is_icmp(flow->protocol))
		return icmp__is_echo(flow->protocol, flow->l4.icmp.type);
	return filter__has_ports(flow->protocol);
}

static __always_inline void tuple__of(struct dpt_tuple *tuple, const struct dpt_flow *flow)
{
	__u32 source = flow->l4.port.source, destination = flow->l4.port.destination;

	if (is_icmp(flow->protocol))
		source = destination = icmp__is_echo(flow->protocol, flow->l4.icmp.type) ? flow->l4.icmp.id : 0;
	tuple->source = tuple__end(flow->source.bytes, source);
	tuple->destination = tuple__end(flow->destination.bytes, destination);
}

static __always_inline __u64 tuple__hash(const struct dpt_tuple *tuple, __u8 protocol)
{
	__u64 hash = hash__mix(protocol, tuple->source + tuple->destination);

	return (hash & ~(__u64)TUPLE_BITS) | (tuple->source < tuple->destination ? TUPLE_FORWARD : 0);
}

/* Returns whether this is the first packet of a TCP connection: its addresses and ports may have a new owner. */
static __always_inline bool flow__begins(const struct dpt_flow *flow)
{
	return flow->protocol == IPPROTO_TCP && tcp__opens(flow->tcp_flags);
}
