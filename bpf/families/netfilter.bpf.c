/* The program at nf_hook_slow tells which netfilter hooks were run for a packet, with what verdict, and which of the
 * functions decided.
 */
#include "../lib/decided.bpf.h"
#include "../lib/dropped.bpf.h"
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"
#include "dptrace/drops.h"

enum {
	NF_PRE_ROUTING = 0,
	NF_LOCAL_IN = 1,
	NF_FORWARD = 2,
	NF_LOCAL_OUT = 3,
	NF_POST_ROUTING = 4,
	NF_HOOKS = 8, /* room for all hooks of a family */
	NF_SLOW_ACCEPTED = 1,
	NF_SLOW_STOLEN = 0,
	NFPROTO_BRIDGE = 7,
	ENTERED_SLOTS = 16,
	MAX_HOOKS = 24,		/* the most functions of one hook that are looked at */
	MIN_FUNCTION_SIZE = 16, /* functions are aligned to so many bytes */
};

/* `probed` has the addresses of the hook functions whose entry is told. User space writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DPT_PROBED);
	__type(key, __u64);
	__type(value, __u8);
} probed SEC(".maps");

/* entries_told_since is the time since when the entry of each hook function in `probed` is told. 0: the probes are not
 * attached. User space writes it.
 */
__u64 entries_told_since __weak = 0;
/* entries_asked_for is the time when a packet of ours last ended at a hook: which function, or which rule, has decided
 * is told by probes that user space may have let go of. User space reads it.
 */
__u64 entries_asked_for __weak = 0;

/* struct dpt_entered has the hook function that a packet entered last, in the traversal it is in: if nf_hook_slow then
 * returns anything but "accepted", that function decided. `traversals` tells whether another traversal ended in
 * between: then a function that took the packet over has passed it on itself (bridge netfilter does) and ended nothing.
 */
struct dpt_entered {
	__u64 skb;
	__u64 function;
	__u64 traversals;
};

struct dpt_traversals {
	__u64 ended;
	__u64 skb;     /* the skb that traversals__slot is asked for */
	__u64 decider; /* the function that decided in the traversal that ended last, 0: not known */
	__u64 passed;  /* the skb of ours that came to INPUT or FORWARD last, from device .passed_from */
	__u64 passed_from;
	struct dpt_entered entered[ENTERED_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_traversals);
} traversals SEC(".maps");

static __always_inline struct dpt_traversals *traversals__here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&traversals, &zero);
}

/* Traversals nest (a REJECT target sends a packet of its own), so each packet has a slot. */
static __always_inline struct dpt_entered *traversals__slot(struct dpt_traversals *here, __u64 skb)
{
	/* The verifier lets no typed pointer be shifted; read back from memory, the pointer is a number. */
	*(volatile __u64 *)&here->skb = skb;
	skb = *(volatile __u64 *)&here->skb;
	return &here->entered[(skb >> 8) & (ENTERED_SLOTS - 1)];
}

static __always_inline int netfilter__enter(__u64 skb, __u64 function)
{
	struct dpt_traversals *here = traversals__here();
	struct dpt_entered *slot;

	if (!here)
		return 0;
	slot = traversals__slot(here, skb);
	slot->skb = skb;
	slot->function = function;
	slot->traversals = here->ended;
	return 0;
}

/* Returns the function that was entered last in the traversal that has ended with `result`. 0: the function is not
 * known; none has decided; or the packet was stolen, but not by that function: it went on its way, and its hops tell of
 * that.
 */
static __always_inline __u64 traversals__end(__u64 skb, int result, __u8 family)
{
	struct dpt_traversals *here = traversals__here();
	struct dpt_entered *slot;
	__u64 function;

	if (!here)
		return 0;
	slot = traversals__slot(here, skb);
	function = slot->skb == skb ? slot->function : 0;
	if (result == NF_SLOW_STOLEN && (slot->traversals != here->ended || family == NFPROTO_BRIDGE))
		function = 0;
	here->ended++;
	slot->skb = 0; /* the function that this skb enters next belongs to another traversal */
	here->decider = function;
	return function;
}

static __always_inline void traversals__pass(struct sk_buff *skb, struct nf_hook_state *state)
{
	struct dpt_traversals *here = traversals__here();

	if (here && state->pf != NFPROTO_BRIDGE && (state->hook == NF_LOCAL_IN || state->hook == NF_FORWARD)) {
		here->passed = (__u64)skb;
		here->passed_from = (__u64)state->in;
	}
}

/* Returns whether a function that took the packet over has passed it on itself, as ip_sabotage_in of bridge netfilter
 * does with all packets that bridges hand to IP: from the same device the packet has come to a hook behind this one, or
 * it has died on its way there.
 */
static __always_inline bool traversals__went_on(struct sk_buff *skb, struct nf_hook_state *state)
{
	struct dpt_traversals *here = traversals__here();
	struct dpt_dropped *last = dropped__last();

	return (here && here->passed == (__u64)skb && here->passed_from == (__u64)state->in) ||
	       (last && last->skb == (__u64)skb);
}

/* Returns the function that traversals__end found: the stack has no room to keep it. */
static __always_inline __u64 traversals__last(void)
{
	struct dpt_traversals *here = entries_told_since ? traversals__here() : NULL;

	return here ? here->decider : 0;
}

/* Every hook function has the arguments (priv, skb, state). This program probes the functions that have no fentry
 * program, such as those that BTF does not know.
 */
SEC("?kprobe")
int dptrace_hook(struct pt_regs *ctx)
{
	return netfilter__enter(PT_REGS_PARM2(ctx), PT_REGS_IP(ctx));
}

/* hook_functions has the addresses of the functions that fentry programs are put on, one program for each function:
 * 5.10 has no helper that tells a program the address of its function. An fentry program costs a tenth of a kprobe.
 */
const volatile __u64 hook_functions[DPT_HOOK_FUNCTIONS] = {};

#define ON_HOOK_FUNCTION(number)                                                                                       \
	SEC("?fentry")                                                                                                 \
	int dptrace_hook_##number(__u64 *ctx)                                                                          \
	{                                                                                                              \
		return netfilter__enter(ctx[1], hook_functions[number]);                                               \
	}

ON_HOOK_FUNCTION(0)
ON_HOOK_FUNCTION(1)
ON_HOOK_FUNCTION(2)
ON_HOOK_FUNCTION(3)
ON_HOOK_FUNCTION(4)
ON_HOOK_FUNCTION(5)
ON_HOOK_FUNCTION(6)
ON_HOOK_FUNCTION(7)
ON_HOOK_FUNCTION(8)
ON_HOOK_FUNCTION(9)
ON_HOOK_FUNCTION(10)
ON_HOOK_FUNCTION(11)
ON_HOOK_FUNCTION(12)
ON_HOOK_FUNCTION(13)
ON_HOOK_FUNCTION(14)
ON_HOOK_FUNCTION(15)

/* Returns the function that decided. 0: not known. The function that was entered last has decided, unless a function
 * behind it whose entry is not told may have been entered. Where all functions of the hook are the same, that function
 * decided in any case. `function` is an address at the beginning of the one that was entered last, where its kprobe or
 * fentry program was called.
 */
static __always_inline __u64 entries__decider(struct nf_hook_entries *entries, __u64 function, __u64 now)
{
	__u64 since = entries_told_since, only = 0;
	__u32 count = entries->num_hook_entries, behind = 0;

	if (!since || now < since + DPT_ENTRIES_SETTLE_NS)
		function = 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_HOOKS; i++) {
		__u64 hook = 0;

		if (i >= count)
			return only ?: behind ? function : 0;
		bpf_probe_read_kernel(&hook, sizeof(hook), &entries->hooks[i].hook);
		only = !i || only == hook ? hook : 0;
		if (function - hook < MIN_FUNCTION_SIZE)
			behind = true;
		if (behind && !bpf_map_lookup_elem(&probed, &hook))
			function = 0;
		/* What the verifier knows of these differs by the way through each round, and the ways multiply. */
		only = forget(only);
		behind = forget(behind);
		function = forget(function);
	}
	return 0;
}

static __always_inline __u8 state__hook(struct nf_hook_state *state)
{
	return state->hook;
}

static __always_inline struct net_device *state__device(struct nf_hook_state *state)
{
	__u8 hook = state__hook(state);

	return hook == NF_LOCAL_OUT || hook == NF_POST_ROUTING ? state->out : state->in;
}

/* Fills what a record has from the place where the hook was run, and returns the device. NULL: there is none. */
static __always_inline struct net_device *netfilter__place(struct dpt_place *place, struct sk_buff *skb,
							   struct nf_hook_state *state)
{
	struct net_device *dev = state__device(state);

	place->skb = (__u64)skb;
	place->netns = state->net->ns.inum;
	place->ifindex = dev ? dev->ifindex : 0;
	place->point = DPT_POINT_NETFILTER;
	return dev;
}

/* `function` is the one that decided. 0: not known. */
static __always_inline struct dpt_netfilter *netfilter__begin(struct nf_hook_state *state, __u16 functions,
							      __u64 function, int result, __u64 now)
{
	struct dpt_netfilter *record = emit__reserve(DPT_EVENT_NETFILTER, sizeof(*record));

	if (!record)
		return NULL;
	emit__begin(&record->hop.event, DPT_EVENT_NETFILTER, sizeof(*record), now);
	record->function = function;
	record->result = result;
	record->hook = state__hook(state);
	record->family = state->pf;
	record->functions = functions;
	return record;
}

/* The ways of the hooks, in a table: the verifier does not know what it reads at a place that it does not know, and
 * walks what follows once, not for each hook.
 */
const volatile __u8 way_of_hook[] = {
	[NF_PRE_ROUTING] = WAY_UNDECIDED,
	[NF_LOCAL_OUT] = WAY_BEGINS,
	[NF_POST_ROUTING] = WAY_BEGINS | WAY_LEAVES,
	[NF_HOOKS - 1] = 0,
};

static __always_inline __u32 netfilter__way(struct nf_hook_state *state)
{
	return way_of_hook[state__hook(state) & (NF_HOOKS - 1)];
}

/* The packet is already freed; use what dropped__remember() kept of it when its end was told. */
static __always_inline int netfilter__dropped(struct sk_buff *skb, struct nf_hook_state *state,
					      struct nf_hook_entries *entries, __u64 function, int result)
{
	struct dpt_dropped *last = dropped__last();
	struct dpt_netfilter *record;
	struct dpt_place place;
	struct net_device *dev;

	if (!last || last->skb != (__u64)skb)
		return 0;
	last->skb = 0;
	traversals__pass(skb, state);
	entries_asked_for = last->time_ns;
	dev = netfilter__place(&place, skb, state);
	if (dev)
		emit__device(dev, &place, last->time_ns);
	place.length = last->length;
	place.flags = last->flags;
	place.packet_type = last->packet_type;
	place.iif = last->iif;
	record = netfilter__begin(state, entries->num_hook_entries, entries__decider(entries, function, last->time_ns),
				  result, last->time_ns);
	if (!record)
		return 0;
	emit__fill_place(&record->hop, &place, last->key);
	/* The record has no flow: it belongs to the packet that was told with this skb's end, and begins none. */
	__builtin_memset(&record->hop.flow, 0, sizeof(record->hop.flow));
	__builtin_memset(&record->hop.tunnel, 0, sizeof(record->hop.tunnel));
	emit__submit(record);
	decided__tell(place.skb, last->key, last->time_ns);
	return 0;
}

/* Returns whether the skb has a mark by now if its packet is ours. It has one when some device received it in this
 * netns. A packet that is made here, or has been given other addresses by NAT, begins at OUTPUT, PREROUTING or
 * POSTROUTING. The same is true at the hook in front of a device's queue, which belongs to another family.
 */
static __always_inline bool netfilter__is_marked_before(struct sk_buff *skb, struct nf_hook_state *state)
{
	__u8 hook = state__hook(state);

	if (!config.sees_devices || !skb->skb_iif || hook == NF_LOCAL_OUT)
		return false;
	if (state->pf == NFPROTO_BRIDGE)
		return true;
	/* Each copy of a routed multicast has a head of its own, and so no mark. */
	return hook != NF_PRE_ROUTING && hook != NF_POST_ROUTING && skb__packet_type(skb) == PACKET_HOST;
}

/* Returns an argument of nf_hook_slow, or its result, which is behind the arguments. The value is loaded where it is
 * used: the stack has no room to keep all of them.
 */
static __always_inline __u64 hooked__argument(__u64 *ctx, int number)
{
	return *(volatile __u64 *)&ctx[number];
}

static __always_inline struct sk_buff *hooked__skb(__u64 *ctx)
{
	return (struct sk_buff *)hooked__argument(ctx, 0);
}

static __always_inline struct nf_hook_state *hooked__state(__u64 *ctx)
{
	return (struct nf_hook_state *)hooked__argument(ctx, 1);
}

static __always_inline struct nf_hook_entries *hooked__entries(__u64 *ctx)
{
	return (struct nf_hook_entries *)hooked__argument(ctx, 2);
}

static __always_inline int hooked__result(__u64 *ctx)
{
	return (int)hooked__argument(ctx, 4);
}

/* Tells of a packet that the hook has let through, or that it keeps, and returns whether the packet is ours. */
static __always_inline bool netfilter__passed(__u64 *ctx)
{
	struct dpt_netfilter *record;
	struct net_device *dev;
	struct dpt_bytes bytes;
	struct dpt_place place;
	struct dpt_seen seen;
	__u32 matches;

	bytes__of_network_header(&bytes, hooked__skb(ctx));
	if (!identity__may_be_ours(&bytes, &seen, skb__is_marked(hooked__skb(ctx)), netfilter__way(hooked__state(ctx)),
				   READ_AFTER_GLANCE, &matches))
		return false;
	netfilter__place(&place, hooked__skb(ctx), hooked__state(ctx));
	place.length = hooked__skb(ctx)->len;
	place.packet_type = skb__packet_type(hooked__skb(ctx));
	place.iif = hooked__skb(ctx)->skb_iif;
	place.flags = skb__is_gso(hooked__skb(ctx));
	asm volatile("" : : "r"(&place)); /* in memory it takes less of the stack than its fields on their own */
	if (!identity__is_ours(&seen, &place, netfilter__way(hooked__state(ctx)), matches)) {
		skb__unmark(hooked__skb(ctx));
		return false;
	}
	skb__mark(hooked__skb(ctx));
	dev = state__device(hooked__state(ctx));
	if (dev)
		emit__device(dev, &place, seen.now);
	record = netfilter__begin(hooked__state(ctx), hooked__entries(ctx)->num_hook_entries, 0, hooked__result(ctx),
				  seen.now);
	if (!record)
		return true;
	if (hooked__result(ctx) == NF_SLOW_STOLEN) {
		entries_asked_for = seen.now;
		record->function = entries__decider(hooked__entries(ctx), traversals__last(), seen.now);
	}
	emit__fill(&record->hop, &place, &seen);
	emit__submit(record);
	return true;
}

SEC("?fexit/nf_hook_slow")
int dptrace_nf_slow(__u64 *ctx)
{
	struct nf_hook_state *state = hooked__state(ctx);
	struct sk_buff *skb = hooked__skb(ctx);
	int result = hooked__result(ctx);
	__u64 function = entries_told_since ? traversals__end((__u64)skb, result, state->pf) : 0;

	if (result < 0)
		return netfilter__dropped(skb, state, hooked__entries(ctx), function, result);
	if (result == NF_SLOW_STOLEN && !function &&
	    (entries_told_since || state->pf == NFPROTO_BRIDGE || traversals__went_on(skb, state)))
		return 0;
	if (netfilter__is_marked_before(skb, state) && !skb__is_marked(skb))
		return 0;
	if (netfilter__passed(ctx))
		traversals__pass(hooked__skb(ctx), hooked__state(ctx));
	return 0;
}
