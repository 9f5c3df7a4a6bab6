/* The identity of a packet tells whether it is ours. The packets that the filter matches are ours. So are packets whose
 * addresses NAT has changed while they were in an skb that had been ours, and packets that have been seen with these
 * addresses before, in another skb.
 */
#pragma once

#include "arrivals.bpf.h"
#include "common.bpf.h"
#include "glance.bpf.h"
#include "marked.bpf.h"
#include "quoted.bpf.h"
#include "slots.bpf.h"
#include "translated.bpf.h"
#include "walk.bpf.h"

/* A packet is believed for so long to be the one that was seen: ARP gives up after 3 s, reassembly after 30 s. The
 * belief has an end, because ids wrap.
 */
#define BELIEF_NS 35000000000ULL
#define RENEW_FOLLOWING_NS 100000000ULL /* `following` is written again only after so long: all CPUs read it */

enum { FOLLOWED_SETS = 32768 };

/* `followed` has packets of ours by their content and addresses: copies, clones and packets that are injected again are
 * in other skbs.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FOLLOWED_SETS);
	__type(key, __u32);
	__type(value, struct dpt_recent_set);
} followed __weak SEC(".maps");

/* enum dpt_way says where on its way a packet is; the values are combined. */
enum dpt_way {
	WAY_BEGINS = 1,	   /* a packet that was made here may be met for the first time */
	WAY_ARRIVES = 2,   /* a device receives the packet, and changes no address */
	WAY_UNDECIDED = 4, /* NAT has not undone the packet's addresses, or has just done so */
	WAY_LEAVES = 8,	   /* the packet has the addresses that others will see */
	WAY_ENDS = 16,	   /* the packet's skb ends */
	WAY_AT_UPLINK = 32,
};

/* enum dpt_reading says how a program reads headers, and is a constant in each program. The verifiers of 6.1 and before
 * walk network programs without end that read both ways, by common.bpf.h and by walk.bpf.h: for these kernels there are
 * programs that only walk.
 */
enum dpt_reading {
	READ_BOTH_WAYS,
	READ_BY_WALKING,
	READ_AFTER_GLANCE, /* both ways, unless the glance dismisses the packet: tracing programs */
};

/* Reads any headers. The function is inlined although it is rarely needed: 5.10 takes every number for precise in a
 * program with functions, and walks it without end.
 */
static __always_inline bool identity__walk(struct dpt_bytes *bytes, struct dpt_seen *seen, enum dpt_wanted wanted,
					   __u32 *matches)
{
	struct dpt_walk walk;

	if (!bytes->ctx)
		bytes__untype(bytes);
	if (!walk__headers(bytes, &walk, matches) || (!*matches && !walk__is_wanted(bytes, &walk, wanted)))
		return false;
	walk__fill(bytes, &walk, seen);
	seen__forget(seen);
	return true;
}

/* Says which packets that the filter does not match are read all the same. An skb that has carried a packet of ours is
 * marked, and so is a copy of that skb. Segments of a packet that NAT has changed, replies to it and errors about it
 * are in other skbs.
 */
static __always_inline enum dpt_wanted identity__wanted(bool marked, __u32 way)
{
	bool translated = translated_since && way & (WAY_UNDECIDED | WAY_LEAVES | WAY_ENDS);

	if (following && (marked || translated))
		return marked || way & WAY_AT_UPLINK ? WANT_ALL : WANT_TRANSLATED;
	return way & WAY_AT_UPLINK ? WANT_BEGINNINGS : WANT_NOTHING;
}

/* Returns false when the packet is not IP, or not ours: it costs nothing more. Else *seen is filled, and the packet may
 * be ours.
 */
static __always_inline bool identity__may_be_ours(struct dpt_bytes *bytes, struct dpt_seen *seen, bool marked,
						  __u32 way, enum dpt_reading reading, __u32 *matches)
{
	enum dpt_wanted wanted = forget(identity__wanted(marked, way));
	__u32 quotes_ours;

	*matches = 0;
	if (reading == READ_AFTER_GLANCE && wanted != WANT_ALL && wanted != WANT_BEGINNINGS &&
	    glance__dismisses(bytes, wanted == WANT_TRANSLATED))
		return false;
	if (wanted == WANT_TRANSLATED)
		wanted = WANT_ALL;
	switch (reading == READ_BY_WALKING ? LOOK_UNUSUAL : common__look(bytes, seen, wanted, matches)) {
	case LOOK_NOT_OURS:
		return false;
	case LOOK_SEEN:
		break;
	case LOOK_UNUSUAL:
		*matches = 0;
		if (!identity__walk(bytes, seen, wanted, matches))
			return false;
	}
	seen->now = bpf_ktime_get_ns();
	quotes_ours = !*matches && way & WAY_UNDECIDED && quoted__is_translated(bytes, seen);
	seen->quotes_ours = forget(quotes_ours);
	return true;
}

/* Returns whether this is the packet of the slot's last hop. Addresses change only within a netns, and neither before
 * nor while a device receives the packet from outside.
 */
static __always_inline bool slot__goes_on(const struct dpt_slot *slot, const struct dpt_place *place, __u32 half,
					  bool made_here, __u32 way)
{
	bool same_netns = place->netns && slot->netns == place->netns;
	bool same_flow = (slot->state & ~SLOT_FLAGS) == half;

	if (way & WAY_BEGINS && made_here)
		return slot->state & SLOT_MADE_HERE && (same_netns || same_flow);
	if (way & WAY_AT_UPLINK)
		return same_flow;
	return same_netns || same_flow;
}

/* Returns whether a packet is ours that the filter does not match and whose skb was not ours. `tuple` is the hash of
 * its ends.
 */
static __always_inline bool translated__is_ours(const struct dpt_seen *seen, __u64 tuple, __u32 way)
{
	enum dpt_translated found;

	if (!translated__any(seen->now) || !flow__has_ends(&seen->flow))
		return false;
	found = translated__find(tuple, seen->now);
	if (found == TRANSLATED_NOT)
		return false;
	if (way & WAY_UNDECIDED) {
		if (!flow__begins(&seen->flow))
			return true;
	} else if (way & WAY_LEAVES && found == TRANSLATED_LEAVES) {
		/* TCP segments are cut from a packet of ours that was whole when NAT saw it. */
		if (seen->flow.protocol == IPPROTO_TCP && !flow__begins(&seen->flow))
			return true;
	} else {
		/* UDP datagrams are cut from one, too, when they come to their socket at the latest. */
		return way & WAY_ENDS && found == TRANSLATED_LEAVES && seen->flow.protocol == IPPROTO_UDP;
	}
	/* The entry is removed, because its address and port may have a new owner. */
	translated__remove(tuple__half(tuple));
	return false;
}

/* Remembers the addresses with which a packet goes on, so that the packet is known when it comes back with them.
 * `leaves` is false for a packet that has just arrived: its answers leave with the same addresses the other way round.
 */
static __always_inline void translated__add(const struct dpt_flow *flow, __u64 tuple, bool leaves, __u64 now)
{
	if (flow__has_ends(flow))
		translated__join(leaves ? tuple : tuple ^ TUPLE_FORWARD, now);
}

static __always_inline bool followed__has(__u64 number, __u64 now)
{
	__u32 index = number >> 32 & (FOLLOWED_SETS - 1);
	const struct dpt_recent_set *set = bpf_map_lookup_elem(&followed, &index);

	return set && recent__since(set, number) > recent__after(now, BELIEF_NS);
}

static __always_inline void followed__remember(__u64 number, __u64 now)
{
	__u32 index = number >> 32 & (FOLLOWED_SETS - 1);
	struct dpt_recent_set *set = bpf_map_lookup_elem(&followed, &index);

	if (set)
		recent__remember(set, number, now);
}

/* Decides whether a packet is ours, remembers it, and sets place->flags; all other fields of *place are filled before.
 * A caller that gets true marks the skb, unless the skb ends.
 */
static __always_inline bool identity__is_ours(const struct dpt_seen *seen, struct dpt_place *place, __u32 way,
					      __u32 matches)
{
	struct dpt_slot_set *set = slots__set(place->skb);
	bool known, ours, made_here, matched = matches;
	struct dpt_tuple ends;
	struct dpt_slot *slot;
	__u64 tuple, content;
	__u32 at;

	if (!matches && !following) {
		arrivals__remember(place, seen);
		return false;
	}
	if (!set)
		return false;
	tuple__of(&ends, &seen->flow);
	tuple = tuple__hash(&ends, seen->flow.protocol);
	/* The content of a fragment is what its datagram's fragments have in common: later ones have no ports, and are
	 * ours when the first one is.
	 */
	content = forget(seen->datagram ?: hash__mix(hash__mix(seen->key, ends.source), ends.destination));
	made_here = !place->iif && !(way & WAY_ARRIVES) && seen->tunnel.kind == DPT_TUNNEL_NONE;

	at = slots__find(set, place->skb);
	slot = &set->ways[at & (SLOT_WAYS - 1)];
	known = at < SLOT_WAYS && slot->key == seen->key && seen->now - slot->since < BELIEF_NS &&
		slot__goes_on(slot, place, tuple__half(tuple), made_here, way);
	if (matches) {
		ours = true;
	} else if (known) {
		matched = slot->state & SLOT_MATCHED;
		ours = matched || (slot->state & ~SLOT_FLAGS) == tuple__half(tuple) ||
		       (translated__any(seen->now) && translated__find(tuple, seen->now) != TRANSLATED_NOT);
		/* The packet was taken for ours by its addresses, and NAT has shown whose they are. */
		if (!ours)
			translated__remove(slot->state & ~SLOT_FLAGS);
	} else {
		matched = (flow__is_later_fragment(&seen->flow) || !(way & WAY_BEGINS && made_here)) &&
			  followed__has(content, seen->now);
		ours = matched || seen->quotes_ours || translated__is_ours(seen, tuple, way);
	}
	if (!ours) {
		if (at < SLOT_WAYS)
			slot->skb = 0;
		if (way & WAY_AT_UPLINK)
			arrivals__remember(place, seen);
		return false;
	}

	if (matches) {
		place->flags |= DPT_HOP_MATCHES;
		if (!known && !made_here && !(way & WAY_ARRIVES)) {
			const struct dpt_flow *before = arrivals__tell(place->skb, seen);

			if (before) {
				tuple__of(&ends, before);
				translated__add(before, tuple__hash(&ends, before->protocol), false, seen->now);
			}
		}
	}
	if (way & WAY_BEGINS && made_here && !known)
		place->flags |= DPT_HOP_FIRST;
	if (matched) {
		if (!matches)
			translated__add(&seen->flow, tuple, !(way & WAY_ARRIVES), seen->now);
		followed__remember(content, seen->now);
	}
	if (seen->now - following > RENEW_FOLLOWING_NS)
		following = seen->now;
	if (way & WAY_ENDS) {
		if (at < SLOT_WAYS)
			slot->skb = 0;
		return true;
	}
	if (at >= SLOT_WAYS) {
		at = slots__oldest(set);
		slot = &set->ways[at & (SLOT_WAYS - 1)];
	}
	slot->skb = place->skb;
	slot->key = seen->key;
	slot->since = seen->now;
	slot->netns = place->netns;
	slot->state = tuple__half(tuple) | (made_here ? SLOT_MADE_HERE : 0) | (matched ? SLOT_MATCHED : 0);
	return true;
}
