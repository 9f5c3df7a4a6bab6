/* Arrivals are packets that an uplink has received and that are not ours as they are: under which address a service is
 * asked from outside is known only when NAT has told which pod is behind it. Each arrival has a slot by its skb, which
 * the next packet with that slot overwrites. A packet that turns out to be ours is told then, with the time of its
 * arrival. TCP packets are kept only when they open a connection: keeping one costs 80 ns, and translated.bpf.h knows
 * the later ones.
 */
#pragma once

#include "emit.bpf.h"
#include "slots.bpf.h"
#include "tuple.bpf.h"

#define ARRIVAL_NS 1000000000ULL /* longer than a packet takes from an uplink to NAT */

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

/* Writes the arrival of a packet that has turned out to be ours, and returns the flow that it arrived with. NULL: no
 * arrival is known.
 */
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
