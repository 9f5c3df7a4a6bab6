/* A mark says that an skb may carry a packet of ours. It is found by the address of the skb and by that of its data: a
 * clone has the data of its original, and skb_cow leaves the skb. Only a "no" is believed: an skb without a mark
 * carries no packet of ours, unless the packet has been copied whole.
 */
#pragma once

#include "kernel.bpf.h"
#include "dptrace/config.h"

/* The verifier gives a program no more than half of an address. The hash of that half tells as much: half of the hash
 * is the index of a mark, and the other half is stored there. Where two addresses meet at one index, all addresses with
 * that index are marked. Addresses that are 4 GiB apart have the same mark: an skb of others can remove a mark of ours
 * if it is met between two hops of that very packet, within microseconds. User space fades marks that are not made
 * again.
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

/* A mark that is there already is not written again: other CPUs may be reading it. */
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
