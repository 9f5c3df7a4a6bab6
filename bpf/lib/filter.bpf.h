/* Does a header belong to the packets that were asked for? */
#pragma once

#include "config.bpf.h"

#define MAPPED_PREFIX bpf_htonl(0xffff)

struct dpt_words {
	__u32 word[4];
};

static __always_inline bool filter__has(const volatile struct dpt_address *addresses, __u32 count,
					const struct dpt_words *source, const struct dpt_words *destination)
{
	for (__u32 i = 0; i < DPT_MAX_ADDRESSES; i++) {
		const volatile __u32 *wanted = (const volatile __u32 *)addresses[i].bytes;

		if (i >= count)
			return false;
		/* The last word first: it tells IPv4 addresses apart, and mostly IPv6 addresses too. */
		if (source->word[3] == wanted[3] && source->word[2] == wanted[2] && source->word[1] == wanted[1] &&
		    source->word[0] == wanted[0])
			return true;
		if (destination->word[3] == wanted[3] && destination->word[2] == wanted[2] &&
		    destination->word[1] == wanted[1] && destination->word[0] == wanted[0])
			return true;
	}
	return false;
}

static __always_inline bool filter__matches_addresses(const struct dpt_words *source,
						      const struct dpt_words *destination)
{
	if (config.pod_count && !filter__has(config.pod, config.pod_count, source, destination))
		return false;
	if (config.peer_count && !filter__has(config.peer, config.peer_count, source, destination))
		return false;
	return true;
}

static __always_inline bool filter__matches_ipv4(const __u8 *source, const __u8 *destination)
{
	struct dpt_words from = {{0, 0, MAPPED_PREFIX, 0}}, to = from;

	__builtin_memcpy(&from.word[3], source, 4);
	__builtin_memcpy(&to.word[3], destination, 4);
	return filter__matches_addresses(&from, &to);
}

static __always_inline bool filter__matches_ipv6(const __u8 *source, const __u8 *destination)
{
	struct dpt_words from, to;

	__builtin_memcpy(&from, source, sizeof(from));
	__builtin_memcpy(&to, destination, sizeof(to));
	return filter__matches_addresses(&from, &to);
}

static __always_inline bool filter__matches_protocol(__u8 protocol)
{
	return config.any_protocol || protocol == config.protocol;
}
