/* The programs at ipt_do_table and ip6t_do_table find the rule of iptables-legacy that drops a packet of ours. Every
 * rule that a packet matches counts it: what the counters were when the packet came, compared with what they are when
 * it is dropped, is the packet's path. Packets that are not ours pay for a look at their mark alone.
 */
#include "../lib/decided.bpf.h"
#include "../lib/filter.bpf.h"
#include "../lib/marked.bpf.h"
#include "../lib/xt_counts.bpf.h"
#include "dptrace/drops.h"

enum {
	XT_STACK_SLACK = 64,
	XT_STACK_BYTES = 16384,
	XT_LONGEST_NS = 1000000000, /* bottom halves are off meanwhile */
	XT_NF_DROP = 0,
	XT_LOCAL_OUT = 3,
	XT_IPV4 = 2,
	XT_IPV6 = 10,
};

/* xt_replaced counts by how often the rules of a table were replaced: the memory of replaced rules is used again, with
 * the same address.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u64);
} xt_replaced SEC(".maps");

/* Returns the revision of the rules in force: the address of the table's xt_table_info, with the number of times that
 * the rules were replaced in its highest bits, which are all ones in any such address.
 */
static __always_inline __u64 xt__revision(__u64 table, __u64 info)
{
	__u64 *replaced = bpf_map_lookup_elem(&xt_replaced, &table);

	return info ^ (replaced ? *replaced << 48 : 0);
}

static __always_inline bool xt__has_filtered_ends(struct sk_buff *skb, bool is_ipv6)
{
	const unsigned char *start = BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, network_header);
	union {
		struct ipv4_header ipv4;
		struct ipv6_header ipv6;
	} header;

	if (is_ipv6)
		return !bpf_probe_read_kernel(&header.ipv6, sizeof(header.ipv6), start) &&
		       filter__matches_ipv6(header.ipv6.source, header.ipv6.destination);
	return !bpf_probe_read_kernel(&header.ipv4, sizeof(header.ipv4), start) &&
	       filter__matches_ipv4(header.ipv4.source, header.ipv4.destination);
}

/* Returns whether the packet may be ours. A packet that a device has received is marked if it is; one that is made here
 * may not have been met yet.
 */
static __always_inline bool xt__may_be_ours(struct sk_buff *skb, struct nf_hook_state *state, bool is_ipv6)
{
	if (following && marks__has((__u64)skb, (__u64)BPF_CORE_READ(skb, head)))
		return true;
	if (config.sees_devices && BPF_CORE_READ(skb, skb_iif) && xt__hook(state) != XT_LOCAL_OUT)
		return false;
	return xt__has_filtered_ends(skb, is_ipv6);
}

/* Returns how many traversals are around one that begins now at this place of the stack (0: it is not known). The end
 * of a traversal may have been missed: one that began long ago, or farther down the same stack, has ended, and when
 * there are too many, all are forgotten.
 */
static __always_inline __u32 xt__depth_at(struct xt_here *here, __u64 stack, __u64 now)
{
	for (__u32 i = 0; i < XT_NESTED; i++) {
		const struct xt_traversal *traversal = &here->traversals[i];

		if (i >= here->depth || now - traversal->begun_ns > XT_LONGEST_NS ||
		    (stack && stack - traversal->stack < XT_STACK_BYTES))
			return i;
	}
	return 0;
}

static __always_inline int xt__enter(struct sk_buff *skb, struct nf_hook_state *state, __u64 table, __u64 stack,
				     bool is_ipv6, bool has_loop)
{
	struct xt_here *here;
	struct xt_traversal *traversal;
	__u32 depth, begin = 0;
	__u64 now;

	if (!xt__may_be_ours(skb, state, is_ipv6))
		return 0;
	here = xt__here();
	if (!here)
		return 0;
	now = bpf_ktime_get_ns();
	depth = forget(xt__depth_at(here, stack, now));
	/* The compiler must not take the masks below for superfluous. */
	asm volatile("" : "+r"(depth));
	if (depth)
		begin = here->traversals[(depth - 1) & (XT_NESTED - 1)].end;
	traversal = &here->traversals[depth & (XT_NESTED - 1)];
	traversal->skb = (__u64)skb;
	traversal->state = (__u64)state;
	traversal->table = table;
	traversal->info = xt__word(table + XT_TABLE_PRIVATE);
	traversal->stack = stack;
	traversal->begun_ns = now;
	traversal->rules = xt__half(traversal->info + XT_INFO_RULES);
	traversal->begin = begin;
	traversal->end = begin + xt__blocks(traversal->rules);
	traversal->is_kept =
		traversal->rules && xt__blocks(traversal->rules) <= (has_loop ? DPT_XT_BLOCKS : XT_PLAIN_BLOCKS);
	here->depth = depth + 1;
	if (!traversal->is_kept) {
		traversal->end = begin;
		return 0;
	}
	if (!xt__keep(here, traversal, is_ipv6, has_loop))
		traversal->is_kept = 0;
	return 0;
}

/* Returns where a target's name begins: 0 for one that is no more than a verdict. */
static __always_inline __u64 xt__target_name(__u64 target)
{
	return xt__word(xt__word(target + XT_TARGET_KERNEL) + XT_KERNEL_TARGET_NAME);
}

/* Returns whether the chain that another hook calls has the rule: a packet that was sent meanwhile came to it. */
static __always_inline __u64 xt__is_of_other_hook(const struct xt_hooks *hooks, __u32 hook, __u32 offset)
{
	__u64 others = 0;

#pragma unroll
	for (__u32 i = 0; i < XT_HOOKS; i++)
		others |= bit__differ(i, hook) & ~bit__below(offset, hooks->first[i]) &
			  ~bit__below(hooks->policy[i], offset);
	return others & 1;
}

static __always_inline __u64 xt__is_policy(const struct xt_hooks *hooks, __u32 hook, __u32 offset)
{
	__u64 is = 0;

#pragma unroll
	for (__u32 i = 0; i < XT_HOOKS; i++)
		is |= bit__equal(i, hook) & bit__equal(hooks->policy[i], offset);
	return is;
}

/* Says what each rule that has counted is to the packet. A rule that has counted one packet of another length has not
 * counted this one. There are no branches, of which the verifier would walk all combinations.
 */
static __always_inline void xt__judge(struct xt_here *here, const struct xt_traversal *traversal, __u32 hook,
				      __u32 length, bool is_ipv6)
{
	struct xt_hooks hooks = {};

	bpf_probe_read_kernel(&hooks, sizeof(hooks), (const void *)(traversal->info + XT_INFO_HOOKS));
	here->ends = 0;
	for (__u32 i = 0; i < XT_FOUND; i++) {
		struct xt_found *found = &here->found[i];
		__u64 offset, target, name, crossed, drops, rejects;

		if (i >= here->count)
			return;
		offset = found->rule - xt__blob(traversal->info);
		target = found->rule + (xt__offsets(found->rule, is_ipv6) & 0xffff);
		name = xt__target_name(target);
		crossed = (bit__differ(found->packets, 1) | bit__equal(found->bytes, length)) &
			  ~xt__is_of_other_hook(&hooks, hook, offset);
		drops = bit__equal(name & 0xff, 0) &
			bit__equal(xt__half(target + XT_TARGET_VERDICT), (__u32)XT_VERDICT_DROP);
		rejects = bit__equal(name & XT_REJECT_MASK, XT_REJECT);
		found->flags = DPT_RULE_POLICY * xt__is_policy(&hooks, hook, offset) | DPT_RULE_REJECTED * rejects;
		found->decides = crossed & (drops | rejects);
		found->leads = crossed & ~(drops | rejects);
		here->ends += found->decides;
	}
}

/* Fills the path of the record: the rules that led to the one that decided, and that one. Where each of several may
 * have decided, they alone are the path.
 */
static __always_inline void xt__fill_path(struct xt_here *here, struct dpt_rule *rule)
{
	__u64 only = bit__equal(here->ends, 1);

	here->length = 0;
	here->flags = 0;
	here->left_out = 0;
	for (__u32 i = 0; i < XT_FOUND; i++) {
		__u64 takes, fits;

		if (i >= here->count)
			break;
		takes = here->found[i].leads & only;
		fits = bit__below(here->length, DPT_RULE_PATH - 1);
		here->path[here->length & (XT_FOUND - 1)] = here->found[i].number;
		here->length += takes & fits;
		here->left_out += takes & ~fits;
	}
	for (__u32 i = 0; i < XT_FOUND; i++) {
		__u64 takes;

		if (i >= here->count)
			break;
		takes = here->found[i].decides & bit__below(here->length, DPT_RULE_PATH);
		here->path[here->length & (XT_FOUND - 1)] = here->found[i].number;
		here->length += takes;
		here->flags |= here->found[i].flags * takes;
	}
	for (__u32 i = 0; i < DPT_RULE_PATH; i++)
		rule->path[i] = here->path[i] * bit__below(i, here->length);
	rule->path_length = here->length;
	rule->path_is_whole = only & bit__equal(here->left_out, 0);
	rule->flags = only ? here->flags : DPT_RULE_ONE_OF;
}

/* Fills `decided` when the rule is known. A packet that a match or another target than REJECT drops is told without a
 * rule: its counters do not tell that one.
 */
static __always_inline void xt__decide(struct xt_here *here, struct xt_traversal *traversal, bool is_ipv6,
				       bool has_loop)
{
	struct nf_hook_state *state = (struct nf_hook_state *)traversal->state;
	struct sk_buff *skb = (struct sk_buff *)traversal->skb;
	struct xt_walk walk = xt__walk_of(traversal, is_ipv6);
	struct dpt_rule *rule = decided__last();
	__u32 hook = xt__hook(state);

	if (!rule)
		return;
	if (!config.one_processor && !xt__recall(here, traversal, is_ipv6))
		return;
	here->count = 0;
	xt__walk(&walk, XT_FIND, has_loop);
	if (here->count > XT_FOUND)
		return;
	xt__judge(here, traversal, hook, BPF_CORE_READ(skb, len), is_ipv6);
	if (!here->ends)
		return;
	rule->skb = 0;
	rule->revision = xt__revision(traversal->table, traversal->info);
	rule->table = traversal->table;
	rule->chain = 0;
	rule->netns = BPF_CORE_READ(state, net, ns.inum);
	rule->rules = traversal->rules;
	rule->ruleset = DPT_RULESET_XTABLES;
	rule->family = is_ipv6 ? XT_IPV6 : XT_IPV4;
	rule->hook = hook;
	rule->reserved = 0;
	bpf_probe_read_kernel(rule->table_name, sizeof(rule->table_name),
			      (const void *)(traversal->table + XT_TABLE_NAME));
	__builtin_memset(rule->chain_name, 0, sizeof(rule->chain_name));
	xt__fill_path(here, rule);
	rule->skb = traversal->skb;
}

/* Returns how many traversals are around the one that the arguments tell, or, where the program is not told any, that
 * began at this place of the stack. XT_NESTED: it is none of ours. Those within may seem to go on: a kernel with one
 * processor has room for one kretprobe of a function at a time.
 */
static __always_inline __u32 xt__depth_of(struct xt_here *here, __u64 skb, __u64 state, __u64 stack)
{
	__u32 found = XT_NESTED;

	for (__u32 i = 0; i < XT_NESTED; i++) {
		const struct xt_traversal *traversal = &here->traversals[i];

		if (i >= here->depth)
			return found;
		if (skb ? traversal->skb == skb && traversal->state == state
			: stack - traversal->stack + XT_STACK_SLACK <= 2 * XT_STACK_SLACK)
			found = i;
	}
	return found;
}

static __always_inline int xt__leave(__u64 skb, __u64 state, __u64 stack, int verdict, bool is_ipv6, bool has_loop)
{
	struct xt_here *here = xt__here();
	struct xt_traversal *traversal;
	__u32 depth;

	/* Whether anything is followed does not matter: the first packet of all may end here. */
	if (!here || !here->depth)
		return 0;
	/* The verifier would walk what follows once for each depth. */
	depth = forget(xt__depth_of(here, skb, state, stack));
	if (depth >= XT_NESTED)
		return 0;
	traversal = &here->traversals[depth];
	here->depth = depth;
	if (traversal->is_kept && (verdict & 0xff) == XT_NF_DROP &&
	    xt__word(traversal->table + XT_TABLE_PRIVATE) == traversal->info)
		xt__decide(here, traversal, is_ipv6, has_loop);
	return 0;
}

/* The functions have the arguments (table, skb, state) since 5.16. */
#define XT_BY_FENTRY(function, is_ipv6)                                                                                \
	SEC("?fentry")                                                                                                 \
	int dptrace_##function##_in(__u64 *ctx)                                                                        \
	{                                                                                                              \
		return xt__enter((struct sk_buff *)ctx[1], (struct nf_hook_state *)ctx[2], ctx[0], 0, is_ipv6, true);  \
	}                                                                                                              \
	SEC("?fexit")                                                                                                  \
	int dptrace_##function##_out(__u64 *ctx)                                                                       \
	{                                                                                                              \
		return xt__leave(ctx[1], ctx[2], 0, ctx[3], is_ipv6, true);                                            \
	}

/* Before, they have (skb, state, table). */
#define XT_BY_KPROBE(function, is_ipv6)                                                                                \
	SEC("?kprobe")                                                                                                 \
	int dptrace_##function##_in_k(struct pt_regs *ctx)                                                             \
	{                                                                                                              \
		return xt__enter((struct sk_buff *)PT_REGS_PARM1(ctx), (struct nf_hook_state *)PT_REGS_PARM2(ctx),     \
				 PT_REGS_PARM3(ctx), PT_REGS_SP(ctx), is_ipv6, false);                                 \
	}                                                                                                              \
	SEC("?kretprobe")                                                                                              \
	int dptrace_##function##_out_k(struct pt_regs *ctx)                                                            \
	{                                                                                                              \
		return xt__leave(0, 0, PT_REGS_SP(ctx), PT_REGS_RC(ctx), is_ipv6, false);                              \
	}

XT_BY_FENTRY(ipt_do_table, false)
XT_BY_FENTRY(ip6t_do_table, true)
XT_BY_KPROBE(ipt_do_table, false)
XT_BY_KPROBE(ip6t_do_table, true)

static __always_inline int xt__replaced(__u64 table)
{
	__u64 first = 1, *replaced = bpf_map_lookup_elem(&xt_replaced, &table);

	if (replaced)
		__sync_fetch_and_add(replaced, 1);
	else
		bpf_map_update_elem(&xt_replaced, &table, &first, BPF_ANY);
	return 0;
}

SEC("?fentry")
int dptrace_xt_replaced(__u64 *ctx)
{
	return xt__replaced(ctx[0]);
}

SEC("?kprobe")
int dptrace_xt_replaced_k(struct pt_regs *ctx)
{
	return xt__replaced(PT_REGS_PARM1(ctx));
}

/* User space runs this program to be told the revision of the table whose address it gives. */
__u64 xt_told_revision __weak = 0;

SEC("?raw_tp")
int dptrace_xt_revision(__u64 *ctx)
{
	xt_told_revision = xt__revision(ctx[0], xt__word(ctx[0] + XT_TABLE_PRIVATE));
	return 0;
}
