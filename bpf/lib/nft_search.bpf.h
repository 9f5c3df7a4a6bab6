/* struct dpt_nft_traversal is the way of a packet through the rules of a base chain: which expressions made it jump,
 * and which one dropped it. An expression is part of a rule, which is searched for when the packet was dropped.
 */
#pragma once

#include "kernel.bpf.h"
#include "dptrace/event.h"
#include "dptrace/nft_layout.h"

#define NFT_HANDLE_MASK ((1ULL << 42) - 1)

enum {
	NFT_TRAVERSALS = 4,	 /* traversals nest: `reject` sends a packet of its own */
	NFT_JUMPS = 64,		 /* the jumps that are kept, the last ones */
	NFT_MAX_RULES = 1 << 17, /* the most rules of one chain that are searched */
	NFT_BLOB_RULES = 8,	 /* the rules are behind the size of the blob */
	NFT_RULE_HEADER = 8,
	NFT_BATCH = 32, /* before 5.17: pointers to rules that are read at once */
};

/* User space writes it before the programs are attached. */
struct dpt_nft_layout nft_layout __weak = {};

struct dpt_nft_jump {
	__u64 expression;
	__u64 chain; /* the one that was jumped to */
};

struct dpt_nft_search {
	__u64 expression; /* the rule of this expression is searched for */
	__u64 at;	  /* the rule that is looked at */
	__u64 chain;	  /* the chain that the expression is in, 0: not found */
	__u64 handle;	  /* of the rule, 0: not found */
	__u64 decider;	  /* the chain that the last rule is in */
	__u32 newest;	  /* the jump, from 1 on, with which the search begins */
	__u32 index;	  /* the jump that led to .chain; 0: the base chain */
	__u32 length;
	__u32 is_whole;
	/* Before 5.17: */
	__u64 nearest;		   /* from a rule to the expression behind it, in bytes */
	__u32 step;		   /* chains that were searched for this rule */
	__u32 generation;	   /* 0, 1: which of the two arrays is searched */
	__u64 batch;		   /* bytes that are read at once */
	__u64 rules[NFT_BATCH];	   /* pointers that were read */
	__u64 path[DPT_RULE_PATH]; /* handles of rules, the last rule first */
};

struct dpt_nft_traversal {
	__u64 packet; /* the address of the struct nft_pktinfo, which no other traversal has at the same time; 0: free
		       */
	__u64 skb;
	__u64 state;
	__u64 stack;	/* kprobes: the stack pointer at the entry of nft_do_chain */
	__u64 base;	/* the base chain */
	__u64 dropper;	/* the expression that dropped the packet, 0: none */
	__u32 rejected; /* the expression told the sender */
	__u32 jumps;	/* how many there were */
	__u32 number;	/* among the traversals of this CPU */
	__u32 reserved;
	/* Kprobes know the arguments of a function at its entry, and what it has done at its exit. */
	__u64 evaluated;
	__u64 evaluated_registers;
	__u64 evaluated_stack;
	struct dpt_nft_search search;
	struct dpt_nft_jump jump[NFT_JUMPS];
};

struct dpt_nft_here {
	__u32 used; /* traversals that are followed */
	__u32 oldest;
	__u32 number; /* of a traversal: see nft__numbered() */
	__u32 reserved;
	struct dpt_nft_traversal traversals[NFT_TRAVERSALS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_nft_here);
} nft_traversals SEC(".maps");

static __always_inline struct dpt_nft_here *nft__here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&nft_traversals, &zero);
}

/* Returns a traversal by its number, and hides from the verifier which one it is: it would follow the program once for
 * each.
 */
static __always_inline struct dpt_nft_traversal *nft__numbered(struct dpt_nft_here *here, __u32 number)
{
	*(volatile __u32 *)&here->number = number;
	number = *(volatile __u32 *)&here->number;
	return &here->traversals[number & (NFT_TRAVERSALS - 1)];
}

/* Returns the traversal of this packet. NULL: none that is followed. */
static __always_inline struct dpt_nft_traversal *nft__of_packet(__u64 packet)
{
	struct dpt_nft_here *here = nft__here();

	if (!here || !here->used)
		return NULL;
	for (__u32 i = 0; i < NFT_TRAVERSALS; i++) {
		if (here->traversals[i].packet == packet)
			return nft__numbered(here, i);
	}
	return NULL;
}

/* Returns the place for the traversal of this packet. A process that was moved to another CPU may have left a traversal
 * here: its place is used again.
 */
static __always_inline struct dpt_nft_traversal *nft__slot(struct dpt_nft_here *here, __u64 packet)
{
	struct dpt_nft_traversal *traversal = nft__of_packet(packet);

	if (traversal)
		return traversal;
	for (__u32 i = 0; i < NFT_TRAVERSALS; i++) {
		traversal = nft__numbered(here, i);
		traversal->number = i;
		if (!traversal->packet) {
			here->used++;
			return traversal;
		}
	}
	return nft__numbered(here, here->oldest++);
}

static __always_inline void nft__release(struct dpt_nft_here *here, struct dpt_nft_traversal *traversal)
{
	traversal->packet = 0;
	here->used--;
}

/* The packet is not followed, but one that had this address may have been. */
static __always_inline void nft__forget(__u64 packet)
{
	struct dpt_nft_traversal *traversal = nft__of_packet(packet);
	struct dpt_nft_here *here = nft__here();

	if (traversal && here)
		nft__release(here, traversal);
}

/* `number` counts the jumps of a traversal from 1 on. */
static __always_inline struct dpt_nft_jump *nft__jump(struct dpt_nft_traversal *traversal, __u32 number)
{
	return &traversal->jump[number & (NFT_JUMPS - 1)];
}

static __always_inline void nft__search_begin(struct dpt_nft_traversal *traversal)
{
	struct dpt_nft_search *search = &traversal->search;

	search->expression = traversal->dropper;
	search->newest = traversal->jumps;
	search->length = 0;
	search->is_whole = 0;
}

/* Notes the rule that was found, and goes on to the rule that jumped to its chain. No chain is entered again before it
 * is left, so the last jump to it is the one. Returns whether the search is over.
 */
static __always_inline bool nft__found(struct dpt_nft_traversal *traversal)
{
	struct dpt_nft_search *search = &traversal->search;

	if (!search->length)
		search->decider = search->chain;
	if (search->length >= DPT_RULE_PATH) {
		search->is_whole = 0;
		return true;
	}
	search->path[search->length++ & (DPT_RULE_PATH - 1)] = search->handle;
	search->is_whole = !search->index;
	if (!search->index)
		return true;
	search->expression = nft__jump(traversal, search->index)->expression;
	search->newest = search->index - 1;
	return false;
}

/* Returns the number of the jump behind which the search looks in this step; 0: in the base chain. Jumps that are not
 * kept are left out.
 */
static __always_inline __u32 nft__search_index(const struct dpt_nft_traversal *traversal, __u32 step)
{
	__u32 newest = traversal->search.newest, index = newest - step;

	return step > newest || traversal->jumps - index >= NFT_JUMPS ? 0 : index;
}

static __always_inline __u64 nft__search_place(struct dpt_nft_traversal *traversal, __u32 index)
{
	return index ? nft__jump(traversal, index)->chain : traversal->base;
}

/* The steps of bpf_loop get the number of the traversal: they may be called while the CPU is in another one, too. */
static __always_inline struct dpt_nft_traversal *nft__searched(const __u32 *number)
{
	struct dpt_nft_here *here = nft__here();

	return here ? &here->traversals[*number & (NFT_TRAVERSALS - 1)] : NULL;
}

/* Looks for the expression in the chain to which a jump led: since 5.17 the rules of a chain are in one blob. The first
 * step looks behind the newest jump, the last one in the base chain.
 */
static long nft__search_chain(__u32 step, __u32 *number)
{
	struct dpt_nft_traversal *traversal = nft__searched(number);
	__u64 blobs[2] = {}, size, chain;
	__u32 index;

	if (!traversal)
		return 1;
	index = nft__search_index(traversal, step);
	chain = nft__search_place(traversal, index);
	bpf_probe_read_kernel(blobs, sizeof(blobs), (void *)chain);
	for (int generation = 0; generation < 2; generation++) {
		__u64 rules = blobs[generation] + NFT_BLOB_RULES;

		size = 0;
		bpf_probe_read_kernel(&size, sizeof(size), (void *)blobs[generation]);
		if (traversal->search.expression - rules < size) {
			traversal->search.at = rules;
			traversal->search.chain = chain;
			traversal->search.index = index;
			return 1;
		}
	}
	return !index;
}

static long nft__search_rule(__u32 step, __u32 *number)
{
	struct dpt_nft_traversal *traversal = nft__searched(number);
	__u64 header = 1, next;

	if (!traversal)
		return 1;
	/* The header has a bit that marks the last rule, the size of the expressions in 12 bits, and the handle in 42.
	 */
	bpf_probe_read_kernel(&header, sizeof(header), (void *)traversal->search.at);
	if (header & 1)
		return 1;
	next = traversal->search.at + NFT_RULE_HEADER + (header >> 1 & 0xfff);
	if (traversal->search.expression < next) {
		traversal->search.handle = header >> 13 & NFT_HANDLE_MASK;
		return 1;
	}
	traversal->search.at = next;
	return 0;
}

static long nft__search_step(__u32 step, __u32 *number)
{
	struct dpt_nft_traversal *traversal = nft__searched(number);

	if (!traversal)
		return 1;
	traversal->search.chain = 0;
	traversal->search.handle = 0;
	bpf_loop(NFT_JUMPS + 1, nft__search_chain, number, 0);
	if (traversal->search.chain)
		bpf_loop(NFT_MAX_RULES, nft__search_rule, number, 0);
	return !traversal->search.handle || nft__found(traversal);
}

/* Searches the rules that led to the drop, the last one first. */
static __always_inline void nft__search(const struct dpt_nft_traversal *traversal)
{
	__u32 number = traversal->number;

	bpf_loop(DPT_RULE_PATH + 1, nft__search_step, &number, 0);
}
