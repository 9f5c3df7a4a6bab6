/* Before 5.17 a chain has an array of pointers to its rules, and each rule is in memory of its own. An expression
 * belongs to the rule that begins closest before it. There is no bpf_loop: one loop walks through the arrays of all
 * chains, and keeps all it knows in the traversal, so that the verifier sees the same state in each step.
 */
#pragma once

#include "nft_search.bpf.h"

enum {
	NFT_STEPS = 48,
	NFT_RULE_510_HEADER = 16, /* in struct nft_rule: behind the links of a list */
	NFT_RULE_510_EXPRESSIONS = 24,
};

#define NFT_FAR (1ULL << 62)

/* Begins with the rules of the older or newer generation of the chain that search->index tells. */
static __always_inline void nft__search_array(struct dpt_nft_traversal *traversal, __u32 generation)
{
	struct dpt_nft_search *search = &traversal->search;

	search->generation = generation;
	search->chain = nft__search_place(traversal, search->index);
	search->at = 0;
	search->batch = NFT_BATCH * sizeof(__u64);
	bpf_probe_read_kernel(&search->at, sizeof(search->at),
			      (void *)(search->chain + (generation & 1) * sizeof(__u64)));
}

static __always_inline void nft__search_next_chain(struct dpt_nft_traversal *traversal)
{
	struct dpt_nft_search *search = &traversal->search;

	search->nearest = NFT_FAR;
	search->index = nft__search_index(traversal, search->step);
	search->step++;
	nft__search_array(traversal, 0);
}

/* Looks at the pointers of a batch without a jump: the verifier counts jumps. Returns whether the array ends here. */
static __always_inline bool nft__search_batch(struct dpt_nft_search *search)
{
	__u64 nearest = search->nearest, ended = 0;

	for (int i = 0; i < NFT_BATCH; i++) {
		__u64 rule = search->rules[i], negated = -rule, distance, closer;

		barrier_var(negated);
		ended |= ((rule | negated) >> 63) ^ 1;
		/* A rule behind the expression is farther than any before it. */
		distance = (search->expression - rule) & ~(1ULL << 63);
		distance |= ended << 62;
		closer = (distance - nearest) >> 63;
		closer = -closer;
		barrier_var(closer);
		nearest -= (nearest - distance) & closer;
	}
	search->nearest = nearest;
	return ended;
}

/* Returns the handle of the rule that begins closest before the expression. 0: the expression is not in it. */
static __always_inline __u64 nft__search_handle(const struct dpt_nft_search *search)
{
	__u64 header = 0;

	if (search->nearest >= NFT_FAR)
		return 0;
	bpf_probe_read_kernel(&header, sizeof(header),
			      (void *)(search->expression - search->nearest + NFT_RULE_510_HEADER));
	if (search->nearest - NFT_RULE_510_EXPRESSIONS >= (header >> 44 & 0xfff))
		return 0;
	return header & NFT_HANDLE_MASK;
}

/* Goes on with the next pointers, array or chain. Returns whether the search is over. */
static __always_inline bool nft__search_pointer_step(struct dpt_nft_traversal *traversal)
{
	struct dpt_nft_search *search = &traversal->search;
	__u64 size = search->batch;
	long error;

	barrier_var(size);
	if (size > NFT_BATCH * sizeof(__u64))
		return true;
	__builtin_memset(search->rules, 0, sizeof(search->rules));
	error = bpf_probe_read_kernel(search->rules, size, (void *)search->at);
	/* The array may be the last thing in a page. */
	if (error && size > sizeof(__u64)) {
		search->batch = sizeof(__u64);
		return false;
	}
	search->at += size;
	/* A batch of one pointer is followed by zeros. */
	if (size == sizeof(__u64) && !error && search->rules[0]) {
		nft__search_batch(search);
		return false;
	}
	if (!nft__search_batch(search))
		return false;
	search->handle = nft__search_handle(search);
	if (search->handle) {
		if (nft__found(traversal))
			return true;
		search->step = 0;
		nft__search_next_chain(traversal);
		return false;
	}
	if (!search->generation) {
		nft__search_array(traversal, 1);
		return false;
	}
	if (!search->index)
		return true;
	nft__search_next_chain(traversal);
	return false;
}

static __always_inline void nft__search_pointers(struct dpt_nft_traversal *traversal)
{
	traversal->search.step = 0;
	nft__search_next_chain(traversal);
	for (int i = 0; i < NFT_STEPS; i++) {
		if (nft__search_pointer_step(traversal))
			return;
	}
}
