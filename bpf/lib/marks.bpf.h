/* Which skbs may carry a packet of ours, by the address of the skb and of its data: a clone has the data of its
 * original, and skb_cow leaves the skb. Only a "no" is believed: what is not marked is no packet of ours, unless it has
 * been copied whole.
 */
#pragma once

#include "packet.bpf.h"

/* Half of an address, which is as good as all of it, is spread by its hash: half of that is the place, the other what
 * stands there. Where two addresses meet all that come there are marked. User space fades what is not marked again.
 */
__u32 marks[DPT_MARKS] __weak __attribute__((aligned(8))) = {};

static __always_inline bool mark__is_of(__u32 mark, __u32 hash)
{
	return mark & DPT_MARK_MANY || (mark & DPT_MARK_AGE && (__u16)mark == (__u16)hash);
}

static __always_inline __u32 *marks__at(__u32 hash)
{
	_Static_assert(DPT_MARKS == 1 << (32 - 16), "half of a hash");
	return &marks[hash >> 16];
}

static __always_inline bool marks__has_one(__u64 address)
{
	__u32 hash = address__hash(address);

	return mark__is_of(*marks__at(hash), hash);
}

static __always_inline bool marks__has(__u64 skb, __u64 head)
{
	return marks__has_one(skb) || marks__has_one(head);
}

/* What stands there already is not written: other CPUs may be reading it. */
static __always_inline void marks__add_one(__u64 address)
{
	__u32 hash = address__hash(address), own = DPT_MARK_FRESH | (__u16)hash;
	__u32 *mark = marks__at(hash), before = *mark;

	if (before & DPT_MARK_AGE && (__u16)before != (__u16)hash)
		own |= DPT_MARK_MANY;
	own |= before & DPT_MARK_MANY;
	if (before != own)
		*mark = own;
}

static __always_inline void marks__remove_one(__u64 address)
{
	__u32 hash = address__hash(address);
	__u32 *mark = marks__at(hash), before = *mark;

	if (mark__is_of(before, hash) && !(before & DPT_MARK_MANY))
		*mark = 0;
}

static __always_inline void marks__add(__u64 skb, __u64 head)
{
	marks__add_one(skb);
	marks__add_one(head);
}

/* In a tracing program. */
static __always_inline bool skb__is_marked(struct sk_buff *skb)
{
	return following && marks__has((__u64)skb, (__u64)skb->head);
}

static __always_inline void skb__mark(struct sk_buff *skb)
{
	marks__add((__u64)skb, (__u64)skb->head);
}

/* Its addresses have come to another packet, which is not ours. */
static __always_inline void skb__unmark(struct sk_buff *skb)
{
	marks__remove_one((__u64)skb);
	marks__remove_one((__u64)skb->head);
}

/* The context of a network program is the sk_buff itself. */
static __always_inline __u64 context__head(struct __sk_buff *ctx)
{
	return (__u64)BPF_CORE_READ((struct sk_buff *)ctx, head);
}

/* By the skb alone: what NAT has changed of a clone is known by its addresses where network programs run. */
static __always_inline bool context__is_marked(struct __sk_buff *ctx)
{
	return marks__has_one((__u64)ctx);
}
