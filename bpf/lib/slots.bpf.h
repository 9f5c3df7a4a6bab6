/* A slot remembers an skb that has carried a packet of ours. NAT is seen by it, because the addresses change and the
 * skb does not. The address of an skb is recycled at once: a slot is believed only while the key agrees.
 */
#pragma once

#include "packet.bpf.h"

enum {
	SLOT_WAYS = 4,
	SLOT_SETS = 16384,
};

enum dpt_slot_flag {
	SLOT_MADE_HERE = 1, /* the packet was made in .netns, and no device has received it yet */
	SLOT_MATCHED = 2,   /* the filter has matched the packet at some hop */
	SLOT_FLAGS = 3,
};

/* struct dpt_slot describes the last hop of a packet. */
struct dpt_slot {
	__u64 skb; /* 0: the skb has ended */
	__u64 key;
	__u64 since;
	__u32 netns;
	__u32 state; /* hash of the flow, with enum dpt_slot_flag in its last bits */
};

/* struct dpt_slot_set is one line of a cache, without a lock, as in recent.bpf.h. */
struct dpt_slot_set {
	struct dpt_slot ways[SLOT_WAYS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOT_SETS);
	__type(key, __u32);
	__type(value, struct dpt_slot_set);
} slots __weak SEC(".maps");

static __always_inline struct dpt_slot_set *slots__set(__u64 skb)
{
	__u32 index = address__hash(skb) >> 18;

	_Static_assert(SLOT_SETS == 1 << (32 - 18), "what is left of a hash");
	return bpf_map_lookup_elem(&slots, &index);
}

/* Returns the number of the skb's way. SLOT_WAYS: it has none. */
static __always_inline __u32 slots__find(const struct dpt_slot_set *set, __u64 skb)
{
	__u32 found = SLOT_WAYS;

#pragma unroll
	for (int i = 0; i < SLOT_WAYS; i++) {
		if (set->ways[i].skb == skb)
			found = i;
	}
	return forget(found);
}

static __always_inline __u32 slots__oldest(const struct dpt_slot_set *set)
{
	__u64 since = set->ways[0].since;
	__u32 oldest = 0;

#pragma unroll
	for (int i = 1; i < SLOT_WAYS; i++) {
		if (set->ways[i].since < since) {
			since = set->ways[i].since;
			oldest = i;
		}
	}
	return forget(oldest);
}
