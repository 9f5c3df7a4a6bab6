/* `dropped` keeps, for each CPU, the packet of ours that was freed last: nf_hook_slow returns after the free, when the
 * skb may no longer be read.
 */
#pragma once

#include "emit.bpf.h"

struct dpt_dropped {
	__u64 skb; /* 0: the record of nf_hook_slow has told of it already */
	__u64 key;
	__u64 time_ns;
	__u32 length;
	__u32 iif;
	__u8 flags;
	__u8 packet_type;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_dropped);
} dropped __weak SEC(".maps");

static __always_inline struct dpt_dropped *dropped__last(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dropped, &zero);
}

static __always_inline void dropped__remember(const struct dpt_place *place, const struct dpt_seen *seen)
{
	struct dpt_dropped *last = dropped__last();

	if (last) {
		last->skb = place->skb;
		last->key = seen->key;
		last->time_ns = seen->now;
		last->length = place->length;
		last->iif = place->iif;
		last->flags = place->flags;
		last->packet_type = place->packet_type;
	}
}
