/* The filter tells whether a header belongs to the packets that were asked for. */
#pragma once

#include "config.bpf.h"

enum {
	IPPROTO_HOPOPTS = 0,
	IPPROTO_ICMP = 1,
	IPPROTO_IPIP = 4,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_DCCP = 33,
	IPPROTO_IPV6 = 41,
	IPPROTO_ROUTING = 43,
	IPPROTO_FRAGMENT = 44,
	IPPROTO_GRE = 47,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_DSTOPTS = 60,
	IPPROTO_SCTP = 132,
	IPPROTO_UDPLITE = 136,
};

#define MAPPED_PREFIX bpf_htonl(0xffff)

/* The loop is unrolled: the verifier knows the count, and removes the turns that are not needed. */
static __always_inline bool filter__has_ipv4(const volatile struct dpt_address *addresses, __u32 count, __be32 source,
					     __be32 destination)
{
#pragma unroll
	for (__u32 i = 0; i < DPT_MAX_ADDRESSES; i++) {
		const volatile __u32 *wanted = (const volatile __u32 *)addresses[i].bytes;
		__u32 last;

		if (i >= count)
			return false;
		last = wanted[3];
		if ((source == last || destination == last) && wanted[2] == MAPPED_PREFIX && !wanted[1] && !wanted[0])
			return true;
	}
	return false;
}

/* The pointers are volatile: otherwise the compiler keeps all words of both addresses on the stack, which has no room
 * for them.
 */
static __always_inline bool filter__equals(const volatile __u32 *wanted, const volatile __be32 *address)
{
	/* The last word is compared first, because it mostly tells addresses apart. */
	return address[3] == wanted[3] && address[2] == wanted[2] && address[1] == wanted[1] && address[0] == wanted[0];
}

static __always_inline bool filter__has_ipv6(const volatile struct dpt_address *addresses, __u32 count,
					     const __be32 *source, const __be32 *destination)
{
	for (__u32 i = 0; i < DPT_MAX_ADDRESSES; i++) {
		const volatile __u32 *wanted = (const volatile __u32 *)addresses[i].bytes;

		if (i >= count)
			return false;
		if (filter__equals(wanted, source) || filter__equals(wanted, destination))
			return true;
	}
	return false;
}

static __always_inline bool filter__matches_ipv4(__be32 source, __be32 destination)
{
	return (!config.pod_count || filter__has_ipv4(config.pod, config.pod_count, source, destination)) &&
	       (!config.peer_count || filter__has_ipv4(config.peer, config.peer_count, source, destination));
}

static __always_inline bool filter__matches_ipv6(const __be32 *source, const __be32 *destination)
{
	return (!config.pod_count || filter__has_ipv6(config.pod, config.pod_count, source, destination)) &&
	       (!config.peer_count || filter__has_ipv6(config.peer, config.peer_count, source, destination));
}

static __always_inline bool filter__matches_protocol(__u8 protocol)
{
	return config.any_protocol || protocol == config.protocol;
}

/* Other protocols have no ports, whatever stands in their place: the type and code of a ping would be port 2048. */
static __always_inline bool filter__has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_UDPLITE || protocol == IPPROTO_DCCP;
}

/* Returns whether either of the ports, in network byte order, is the port that was asked for. */
static __always_inline bool filter__matches_ports(__be16 source, __be16 destination)
{
	return source == bpf_htons(config.port) || destination == bpf_htons(config.port);
}
