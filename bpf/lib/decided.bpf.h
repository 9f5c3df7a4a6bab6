/* `decided` keeps, for each CPU, the rule by which a ruleset last dropped a packet of ours. The program at nf_hook_slow
 * tells of it when the packet has been freed: the families of rulesets only fill it in.
 */
#pragma once

#include "emit.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_rule);
} decided __weak SEC(".maps");

/* Returns the rule that was decided by last; the family whose ruleset drops a packet fills it, .skb last. */
static __always_inline struct dpt_rule *decided__last(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&decided, &zero);
}

/* Tells of the rule that dropped `skb`, if one is known. The packet had `key`, and its end was told at `now`. */
static __always_inline void decided__tell(__u64 skb, __u64 key, __u64 now)
{
	struct dpt_rule *last = decided__last();
	struct dpt_rule *record;

	if (!last || last->skb != skb)
		return;
	record = emit__reserve(DPT_EVENT_RULE, sizeof(*record));
	if (record) {
		__builtin_memcpy(record, last, sizeof(*record));
		emit__begin(&record->event, DPT_EVENT_RULE, sizeof(*record), now);
		record->key = key;
		emit__submit(record);
	}
	last->skb = 0;
}
