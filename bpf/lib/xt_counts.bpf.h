/* What the counters of a table were when a packet of ours came to it, and which rules have counted since. Where the
 * counters are is learned once for each table and CPU: they lie in blocks, which a walk through the rules finds.
 */
#pragma once

#include "config.bpf.h"
#include "packet.bpf.h"
#include "xtables.bpf.h"

enum {
	XT_NESTED = 4,	      /* traversals of packets of ours within one another, as a REJECT makes them */
	XT_FOUND = 32,	      /* the most rules that are looked at for one packet */
	XT_BLOCK_SLOTS = 128, /* a power of two, for the verifier: DPT_XT_BLOCKS or more */
	XT_LEARNED = 64,      /* the tables whose blocks are kept, on each CPU */
	XT_PLAIN_BLOCKS = 16, /* before bpf_loop (5.17) */
};

/* per_cpu_offsets is the address of the kernel's __per_cpu_offset. User space writes it. A kernel that has one
 * processor keeps the counters in the rules (config.one_processor).
 */
__u64 per_cpu_offsets __weak = 0;

/* struct xt_learned has the addresses of a table's blocks, and where the first rule of each block is. */
struct xt_learned {
	__u32 rule_count;
	__u32 reserved;
	__u64 counters[XT_BLOCK_SLOTS];
	__u64 rules[XT_BLOCK_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, XT_LEARNED);
	__type(key, __u64);
	__type(value, struct xt_learned);
} xt_learned SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DPT_XT_BLOCKS);
	__type(key, __u32);
	__type(value, struct xt_block);
} xt_before SEC(".maps");

/* struct xt_traversal is one packet of ours in a table. Its blocks of `xt_before` are [begin, end). */
struct xt_traversal {
	__u64 skb;
	__u64 state;
	__u64 table;
	__u64 info;
	__u64 stack;
	__u64 begun_ns;
	__u32 rules;
	__u16 begin;
	__u16 end;
	__u64 is_kept;
};

struct xt_found {
	__u64 rule;
	__u32 number;
	__u32 packets;
	__u64 bytes;
	__u32 flags;  /* enum dpt_rule_flag, if it decides */
	__u8 leads;   /* the packet has crossed it */
	__u8 decides; /* the packet may have ended at it */
	__u16 reserved;
};

struct xt_here {
	__u32 depth;
	__u32 count;  /* of .found */
	__u32 ends;   /* rules of .found that may have decided */
	__u32 length; /* of .path */
	__u32 flags;  /* enum dpt_rule_flag */
	__u32 left_out;
	__u64 path[XT_FOUND];
	struct xt_traversal traversals[XT_NESTED];
	struct xt_found found[XT_FOUND];
	struct xt_block now;
	struct xt_learned learning;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct xt_here);
} xt_here SEC(".maps");

static __always_inline struct xt_here *xt__here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&xt_here, &zero);
}

/* Returns the address of what is at `address` for each CPU, on this one. */
static __always_inline __u64 xt__on_this_cpu(__u64 address)
{
	return address + xt__word(per_cpu_offsets + 8ULL * bpf_get_smp_processor_id());
}

/* struct xt_walk goes through the rules of a table, one by one; the walk's blocks of `xt_before` start at .begin. */
struct xt_walk {
	__u64 rule;
	__u32 number;
	__u32 rules;
	__u32 begin;
	__u32 is_ipv6;
};

static __always_inline void xt_walk__next(struct xt_walk *walk)
{
	walk->rule += xt__offsets(walk->rule, walk->is_ipv6) >> 16;
	/* The verifier of bpf_loop compares what it knows of one step with the next: it must not know the number. */
	walk->number = forget(walk->number + 1);
}

/* The three steps of walks have no branches but the one that ends the walk: the verifier of 5.10 gives up after 8192
 * branches of a program.
 */
static __always_inline void xt__learn_block(struct xt_walk *walk, struct xt_here *here)
{
	__u32 block = walk->number / XT_BLOCK_RULES;

	block &= XT_BLOCK_SLOTS - 1;
	here->learning.rules[block] = walk->rule;
	here->learning.counters[block] = xt__word(xt__counter(walk->rule, walk->is_ipv6));
}

/* Reads the count of a rule that has its counter in itself. */
static __always_inline void xt__read_count(struct xt_walk *walk, struct xt_block *block)
{
	bpf_probe_read_kernel(&block->counts[walk->number & (XT_BLOCK_RULES - 1)], sizeof(struct xt_count),
			      (const void *)xt__counter(walk->rule, walk->is_ipv6));
}

static __always_inline void xt__compare(struct xt_walk *walk, struct xt_here *here, struct xt_block *before)
{
	__u32 at = walk->number & (XT_BLOCK_RULES - 1);
	struct xt_found *found = &here->found[here->count & (XT_FOUND - 1)];
	__u64 packets;

	if (config.one_processor)
		xt__read_count(walk, &here->now);
	packets = here->now.counts[at].packets - before->counts[at].packets;
	found->rule = walk->rule;
	found->number = walk->number;
	found->packets = packets;
	found->bytes = here->now.counts[at].bytes - before->counts[at].bytes;
	here->count += bit__differ(packets, 0);
}

static __always_inline void xt__read_block(struct xt_block *block, const struct xt_learned *learned, __u32 number)
{
	if (!config.one_processor)
		bpf_probe_read_kernel(block, sizeof(*block),
				      (const void *)xt__on_this_cpu(learned->counters[number & (XT_BLOCK_SLOTS - 1)]));
}

enum xt_task {
	XT_LEARN,
	XT_KEEP,
	XT_FIND,
};

static __always_inline long xt__step(struct xt_walk *walk, enum xt_task task)
{
	struct xt_here *here = xt__here();
	struct xt_block *before;
	__u32 block;

	if (walk->number >= walk->rules || !here)
		return 1;
	block = walk->begin + walk->number / XT_BLOCK_RULES;
	if (task == XT_LEARN) {
		if (walk->number % XT_BLOCK_RULES == 0)
			xt__learn_block(walk, here);
	} else {
		before = bpf_map_lookup_elem(&xt_before, &block);
		if (!before)
			return 1;
		if (task == XT_KEEP) {
			xt__read_count(walk, before);
		} else {
			if (walk->number % XT_BLOCK_RULES == 0)
				xt__read_block(&here->now, &here->learning, walk->number / XT_BLOCK_RULES);
			xt__compare(walk, here, before);
		}
	}
	xt_walk__next(walk);
	return 0;
}

static long xt__step_of_learning(__u32 index, void *walk)
{
	return xt__step(walk, XT_LEARN);
}

static long xt__step_of_keeping(__u32 index, void *walk)
{
	return xt__step(walk, XT_KEEP);
}

static long xt__step_of_finding(__u32 index, void *walk)
{
	return xt__step(walk, XT_FIND);
}

/* Walks without bpf_loop. */
static __always_inline void xt__walk_plainly(struct xt_walk *walk, enum xt_task task)
{
	struct xt_here *here = xt__here();

	if (!here)
		return;
	for (__u32 block = 0; block < XT_PLAIN_BLOCKS; block++) {
		__u32 number = walk->begin + block;
		struct xt_block *before = NULL;

		if (walk->number >= walk->rules)
			return;
		if (task == XT_LEARN) {
			xt__learn_block(walk, here);
		} else {
			before = bpf_map_lookup_elem(&xt_before, &number);
			if (!before)
				return;
			if (task == XT_FIND)
				xt__read_block(&here->now, &here->learning, block);
		}
		for (__u32 i = 0; i < XT_BLOCK_RULES; i++) {
			if (walk->number >= walk->rules)
				return;
			if (task == XT_KEEP)
				xt__read_count(walk, before);
			if (task == XT_FIND)
				xt__compare(walk, here, before);
			xt_walk__next(walk);
		}
	}
}

static __always_inline void xt__walk(struct xt_walk *walk, enum xt_task task, bool has_loop)
{
	if (!has_loop)
		xt__walk_plainly(walk, task);
	else if (task == XT_LEARN)
		bpf_loop(DPT_XT_BLOCKS * XT_BLOCK_RULES, xt__step_of_learning, walk, 0);
	else if (task == XT_KEEP)
		bpf_loop(DPT_XT_BLOCKS * XT_BLOCK_RULES, xt__step_of_keeping, walk, 0);
	else
		bpf_loop(DPT_XT_BLOCKS * XT_BLOCK_RULES, xt__step_of_finding, walk, 0);
}

static __always_inline __u32 xt__blocks(__u32 rules)
{
	return (rules + XT_BLOCK_RULES - 1) / XT_BLOCK_RULES;
}

static __always_inline struct xt_walk xt__walk_of(const struct xt_traversal *traversal, bool is_ipv6)
{
	return (struct xt_walk){
		.rule = xt__blob(traversal->info),
		.number = forget(0),
		.rules = traversal->rules,
		.begin = traversal->begin,
		.is_ipv6 = is_ipv6,
	};
}

/* Returns whether what was learned of a table is still so. The counters of a block are those of its first rule. */
static __always_inline bool xt__is_learned(const struct xt_learned *learned, __u32 rules, bool is_ipv6)
{
	if (learned->rule_count != rules)
		return false;
	for (__u32 block = 0; block < DPT_XT_BLOCKS; block++) {
		if (block >= xt__blocks(rules))
			return true;
		if (xt__word(xt__counter(learned->rules[block], is_ipv6)) != learned->counters[block])
			return false;
	}
	return true;
}

/* Fills here->learning with where the table's counters are, and returns whether that is known. */
static __always_inline bool xt__recall(struct xt_here *here, const struct xt_traversal *traversal, bool is_ipv6)
{
	__u64 info = traversal->info;
	struct xt_learned *known = bpf_map_lookup_elem(&xt_learned, &info);

	if (!known || !xt__is_learned(known, traversal->rules, is_ipv6))
		return false;
	bpf_probe_read_kernel(&here->learning, sizeof(here->learning), known);
	return true;
}

/* Finds where the table's counters are. */
static __always_inline void xt__learn(struct xt_here *here, const struct xt_traversal *traversal, bool is_ipv6,
				      bool has_loop)
{
	__u64 info = traversal->info;
	struct xt_walk walk = xt__walk_of(traversal, is_ipv6);

	if (xt__recall(here, traversal, is_ipv6))
		return;
	here->learning.rule_count = traversal->rules;
	xt__walk(&walk, XT_LEARN, has_loop);
	bpf_map_update_elem(&xt_learned, &info, &here->learning, BPF_ANY);
}

/* Keeps what the table's counters are before the packet comes to its rules. */
static __always_inline bool xt__keep(struct xt_here *here, struct xt_traversal *traversal, bool is_ipv6, bool has_loop)
{
	struct xt_walk walk = xt__walk_of(traversal, is_ipv6);
	__u32 blocks = xt__blocks(traversal->rules);

	if (config.one_processor) {
		xt__walk(&walk, XT_KEEP, has_loop);
		return true;
	}
	xt__learn(here, traversal, is_ipv6, has_loop);
	for (__u32 block = 0; block < DPT_XT_BLOCKS; block++) {
		__u32 number = traversal->begin + block;
		struct xt_block *before;

		if (block >= blocks)
			return true;
		before = bpf_map_lookup_elem(&xt_before, &number);
		if (!before)
			return false;
		xt__read_block(before, &here->learning, block);
	}
	return true;
}
