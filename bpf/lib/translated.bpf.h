/* `translated` has the addresses and ports under which packets of ours have gone on after NAT. A packet that arrives
 * with them, or with them the other way round, is believed to be ours before NAT has undone them. The belief ends when
 * the next owner of the addresses and ports shows.
 */
#pragma once

#include "recent.bpf.h"
#include "tuple.bpf.h"

#define TRANSLATED_NS 30000000000ULL	 /* conntrack keeps a flow of UDP or echo for so long */
#define RENEW_TRANSLATED_NS 100000000ULL /* `translated_since` is renewed only after so long: all CPUs read it */

enum { TRANSLATED_SETS = 1024 };

/* The numbers are tuple__hash of the ends, in the direction in which the packets leave. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TRANSLATED_SETS);
	__type(key, __u32);
	__type(value, struct dpt_recent_set);
} translated __weak SEC(".maps");

/* translated_marks tells whether an entry of `translated` may have a hash, in either direction; only a "no" is
 * believed. User space fades these marks as it fades those of skbs.
 */
__u8 translated_marks[DPT_TRANSLATED_MARKS] __weak __attribute__((aligned(8))) = {};

static __always_inline __u8 *translated__mark(__u64 hash)
{
	_Static_assert(DPT_TRANSLATED_MARKS == 1 << (64 - 50), "what is left of a hash");
	return &translated_marks[hash >> 50];
}

/* translated_since is the time when an entry was last written, to RENEW_TRANSLATED_NS. 0: there is none. */
__u64 translated_since __weak = 0;

static __always_inline bool translated__any(__u64 now)
{
	return translated_since && now - translated_since < TRANSLATED_NS + RENEW_TRANSLATED_NS;
}

/* Returns all that a slot keeps of a hash: its upper half, which has no direction, without the bits that a slot uses
 * for enum dpt_slot_flag.
 */
static __always_inline __u32 tuple__half(__u64 hash)
{
	return hash >> 32 & ~(__u64)TUPLE_BITS;
}

static __always_inline struct dpt_recent_set *translated__set(__u32 half)
{
	__u32 index = half >> 2 & (TRANSLATED_SETS - 1);

	return bpf_map_lookup_elem(&translated, &index);
}

static __always_inline bool translated__is(const struct dpt_recent *way, __u64 hash)
{
	return !((way->number ^ hash) & ~(__u64)TUPLE_BITS);
}

/* Renews the entry with this hash, or writes it, in the direction in which the packet leaves. */
static __always_inline void translated__join(__u64 hash, __u64 now)
{
	struct dpt_recent_set *set = translated__set(tuple__half(hash));
	struct dpt_recent *oldest;

	if (!set)
		return;
	if (*translated__mark(hash) != DPT_MARK_NEW)
		*translated__mark(hash) = DPT_MARK_NEW;
	if (now - translated_since > RENEW_TRANSLATED_NS)
		translated_since = now;
	oldest = &set->ways[0];
#pragma unroll
	for (int i = 0; i < RECENT_WAYS; i++) {
		struct dpt_recent *way = &set->ways[i];

		if (translated__is(way, hash)) {
			if (way->since > recent__after(now, TRANSLATED_NS)) {
				way->since = now;
				return;
			}
			oldest = way;
			break;
		}
		if (way->since < oldest->since)
			oldest = way;
	}
	oldest->number = hash;
	oldest->since = now;
}

enum dpt_translated {
	TRANSLATED_NOT,
	TRANSLATED_RETURNS,
	TRANSLATED_LEAVES, /* the packets of the entry leave in this direction */
};

static __always_inline enum dpt_translated translated__find(__u64 hash, __u64 now)
{
	const struct dpt_recent_set *set = translated__set(tuple__half(hash));
	__u64 after = recent__after(now, TRANSLATED_NS);
	__u32 found = TRANSLATED_NOT;

	if (!set)
		return TRANSLATED_NOT;
#pragma unroll
	for (int i = 0; i < RECENT_WAYS; i++) {
		const struct dpt_recent *way = &set->ways[i];

		if (translated__is(way, hash) && way->since > after)
			found = way->number == hash ? TRANSLATED_LEAVES : TRANSLATED_RETURNS;
	}
	return forget(found);
}

static __always_inline void translated__remove(__u32 half)
{
	struct dpt_recent_set *set = translated__set(half);

	if (!set)
		return;
#pragma unroll
	for (int i = 0; i < RECENT_WAYS; i++) {
		if (tuple__half(set->ways[i].number) == half)
			set->ways[i].since = 0;
	}
}
