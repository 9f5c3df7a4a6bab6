/* Which packets are ours: by the filter on the outer or innermost header, and from then on by content, whatever NAT
 * makes of the addresses.
 */
#pragma once

#include "common.bpf.h"
#include "walk.bpf.h"

#define FOLLOW_NS 2000000000ULL		/* a key is believed so long: ids wrap */
#define RENEW_NS 500000000ULL		/* a followed key is written again only after so long */
#define RENEW_FOLLOWING_NS 100000000ULL /* likewise `following`, which all CPUs read */

struct dpt_followed {
	__u64 key;
	__u64 since; /* time the key was seen with matching addresses */
};

enum {
	FOLLOWED_WAYS = 4,
	FOLLOWED_SETS = 16384,
};

/* One line of a cache: a key is in any of its ways, and takes that of the oldest. No lock: two CPUs that take the same
 * way at once lose one key, until its packet's next hop with matching addresses.
 */
struct dpt_followed_set {
	struct dpt_followed ways[FOLLOWED_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FOLLOWED_SETS);
	__type(key, __u32);
	__type(value, struct dpt_followed_set);
} followed __weak SEC(".maps");

/* When something was last followed, to RENEW_FOLLOWING_NS; 0: nothing is, and a packet whose addresses do not match is
 * done. User space takes it back to 0 after FOLLOW_NS.
 */
__u64 following __weak = 0;

static __always_inline struct dpt_followed_set *followed__set(__u64 key)
{
	__u32 index = key >> 32 & (FOLLOWED_SETS - 1);

	return bpf_map_lookup_elem(&followed, &index);
}

static __always_inline void identity__follow(__u64 key, __u64 now)
{
	struct dpt_followed_set *set = followed__set(key);
	struct dpt_followed *oldest;

	if (!set)
		return;
	oldest = &set->ways[0];
#pragma unroll
	for (int i = 0; i < FOLLOWED_WAYS; i++) {
		struct dpt_followed *way = &set->ways[i];

		if (way->key == key) {
			if (now - way->since < RENEW_NS)
				return;
			oldest = way;
			break;
		}
		if (way->since < oldest->since)
			oldest = way;
	}
	oldest->key = key;
	oldest->since = now;
	if (now - following > RENEW_FOLLOWING_NS)
		following = now;
}

static __always_inline bool identity__is_followed(__u64 key, __u64 now)
{
	struct dpt_followed_set *set = followed__set(key);

	if (!set)
		return false;
#pragma unroll
	for (int i = 0; i < FOLLOWED_WAYS; i++) {
		if (set->ways[i].key == key)
			return now - set->ways[i].since < FOLLOW_NS;
	}
	return false;
}

/* By any headers. Inlined, rare as it is: 5.10 takes every number for precise in a program with functions, and walks it
 * without end.
 */
static __always_inline bool identity__walk(struct dpt_bytes *bytes, struct dpt_seen *seen, __u32 *matches)
{
	struct dpt_walk walk;

	if (!bytes->ctx)
		bytes__untype(bytes);
	if (!walk__headers(bytes, &walk, matches) || (!*matches && !following))
		return false;
	walk__fill(bytes, &walk, seen);
	seen__forget(seen);
	return true;
}

/* The verifiers of 6.1 and before walk network programs that have both ways of reading without end: for them there are
 * programs that only walk. A constant.
 */
enum dpt_reading {
	READ_BOTH_WAYS,
	READ_BY_WALKING,
};

/* False: not IP, or not ours; the packet costs nothing more. Else *seen is filled. */
static __always_inline bool identity__is_ours(struct dpt_bytes *bytes, struct dpt_seen *seen, enum dpt_reading reading)
{
	__u32 matches = 0;

	switch (reading == READ_BY_WALKING ? LOOK_UNUSUAL : common__look(bytes, seen, following, &matches)) {
	case LOOK_NOT_OURS:
		return false;
	case LOOK_SEEN:
		break;
	case LOOK_UNUSUAL:
		matches = 0;
		if (!identity__walk(bytes, seen, &matches))
			return false;
	}
	seen->now = bpf_ktime_get_ns();
	if (!matches)
		return identity__is_followed(seen->key, seen->now);
	identity__follow(seen->key, seen->now);
	return true;
}
