/* struct dpt_recent_set has numbers that were met a short while ago, as a cache has its lines: a number may be in any
 * way of its set, and takes the way of the oldest. There is no lock: when two CPUs take one way at once, one number is
 * lost until the next hop of its packet.
 */
#pragma once

#include "kernel.bpf.h"

enum { RECENT_WAYS = 4 };

struct dpt_recent {
	__u64 number;
	__u64 since;
};

struct dpt_recent_set {
	struct dpt_recent ways[RECENT_WAYS];
};

/* The time of a number is written again only after so long. */
#define RENEW_NS 500000000ULL

/* Returns the time after which everything younger than `age` was remembered. A number that is not there has the time 0,
 * which is never after it, not in the first seconds after boot either. The function has no condition, for the sake of
 * 5.10's verifier.
 */
static __always_inline __u64 recent__after(__u64 now, __u64 age)
{
	__s64 after = now - age, negative = after >> 63;

	asm volatile("" : "+r"(negative)); /* without this the compiler makes a condition of it again */
	return after & ~negative;
}

/* Returns the time when the number was remembered. 0: it is not there. */
static __always_inline __u64 recent__since(const struct dpt_recent_set *set, __u64 number)
{
	__u64 since = 0;

#pragma unroll
	for (int i = 0; i < RECENT_WAYS; i++) {
		if (set->ways[i].number == number)
			since = set->ways[i].since;
	}
	return since;
}

static __always_inline void recent__remember(struct dpt_recent_set *set, __u64 number, __u64 now)
{
	struct dpt_recent *oldest = &set->ways[0];

#pragma unroll
	for (int i = 0; i < RECENT_WAYS; i++) {
		struct dpt_recent *way = &set->ways[i];

		if (way->number == number) {
			if (now - way->since < RENEW_NS)
				return;
			oldest = way;
			break;
		}
		if (way->since < oldest->since)
			oldest = way;
	}
	oldest->number = number;
	oldest->since = now;
}
