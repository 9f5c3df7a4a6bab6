/* These functions read and set the marks of an skb: see marks.bpf.h. */
#pragma once

#include "marks.bpf.h"
#include "packet.bpf.h"

/* Asks for the marks of the skb and of its data, in a tracing program. */
static __always_inline bool skb__is_marked(struct sk_buff *skb)
{
	return following && marks__has((__u64)skb, (__u64)skb->head);
}

static __always_inline void skb__mark(struct sk_buff *skb)
{
	marks__add((__u64)skb, (__u64)skb->head);
}

/* Removes the marks: the skb's addresses have come to another packet, which is not ours. */
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

/* Asks for the mark of the skb alone: where network programs run, a clone that NAT has changed is known by its
 * addresses.
 */
static __always_inline bool context__is_marked(struct __sk_buff *ctx)
{
	return marks__has_one((__u64)ctx);
}
