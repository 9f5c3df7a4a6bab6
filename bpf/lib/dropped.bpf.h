/* The packet of ours that was freed last on this CPU: nf_hook_slow returns after the free, when the skb may no longer
 * be read.
 */
#pragma once

#include "emit.bpf.h"

struct dpt_dropped {
	__u64 skb;
	__u64 key;
	__u64 time_ns;
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

static __always_inline void dropped__remember(struct sk_buff *skb, __u64 key, __u64 now)
{
	struct dpt_dropped *last = dropped__last();

	if (last) {
		last->skb = (__u64)skb;
		last->key = key;
		last->time_ns = now;
	}
}
