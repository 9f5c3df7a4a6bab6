/* Packets that uplinks have received and that are not ours as they are: under which address a service is asked from
 * outside is known only when NAT has told who is behind it. Each has a slot by its skb, overwritten by the next; what
 * turns out to be ours is told then, with the time of its arrival. Of TCP only what opens a connection: it costs 80 ns,
 * and later packets are known by translated.bpf.h.
 */
#pragma once

#include "emit.bpf.h"
#include "slots.bpf.h"
#include "tuple.bpf.h"

#define ARRIVAL_NS 1000000000ULL /* more than lies between an uplink and NAT */

enum {
	ARRIVAL_SLOTS = 4096,
	PLAIN_HOP_WORDS = offsetof(struct dpt_hop, tunnel) / sizeof(__u64),
};

struct dpt_arrival {
	__u64 hop[PLAIN_HOP_WORDS]; /* struct dpt_hop without the tunnel */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ARRIVAL_SLOTS);
	__type(key, __u32);
	__type(value, struct dpt_arrival);
} arrivals __weak SEC(".maps");

static __always_inline struct dpt_arrival *arrivals__slot(__u64 skb)
{
	__u32 index = address__hash(skb) >> 20;

	_Static_assert(ARRIVAL_SLOTS == 1 << (32 - 20), "what is left of a hash");
	return bpf_map_lookup_elem(&arrivals, &index);
}

static __always_inline void arrivals__remember(const struct dpt_place *place, const struct dpt_seen *seen)
{
	const __u32 plain = offsetof(struct dpt_hop, tunnel);
	struct dpt_arrival *arrival;
	struct dpt_hop *hop;

	if (seen->tunnel.kind != DPT_TUNNEL_NONE || flow__is_later_fragment(&seen->flow) ||
	    (seen->flow.protocol == IPPROTO_TCP && !flow__begins(&seen->flow)))
		return;
	arrival = arrivals__slot(place->skb);
	if (!arrival)
		return;
	hop = (struct dpt_hop *)arrival;
	emit__begin(&hop->event, DPT_EVENT_HOP, plain, seen->now);
	emit__fill_place(hop, place, seen->key);
	hop->flow = seen->flow;
}

/* Tells the arrival of a packet that has turned out to be ours. NULL: none is known. */
static __always_inline const struct dpt_flow *arrivals__tell(__u64 skb, const struct dpt_seen *seen)
{
	struct dpt_arrival *arrival = arrivals__slot(skb);
	struct dpt_hop *hop = (struct dpt_hop *)arrival;
	struct dpt_arrival *record;

	if (!arrival || hop->skb != skb || hop->key != seen->key || seen->now - hop->event.time_ns > ARRIVAL_NS)
		return NULL;
	record = emit__reserve(DPT_EVENT_HOP, sizeof(*record));
	if (record) {
		__builtin_memcpy(record, arrival, sizeof(*record));
		emit__submit(record);
	}
	hop->skb = 0;
	return &hop->flow;
}
