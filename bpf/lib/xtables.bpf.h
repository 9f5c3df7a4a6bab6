/* These are the rules of iptables-legacy as the kernel keeps them: one blob per table, in which rules follow each
 * other, and for each rule a counter of its own on each CPU. The modules are not in the BTF of 5.10; the layout is part
 * of the interface to user space, or has been the same from 5.10 on.
 */
#pragma once

#include "kernel.bpf.h"
#include "dptrace/config.h"

enum {
	XT_TABLE_PRIVATE = 24,
	XT_TABLE_NAME = 56,
	XT_NAME_LENGTH = 32,

	XT_INFO_RULES = 4, /* the number of rules */
	XT_INFO_HOOKS = 12,
	XT_INFO_BLOB = 64,

	XT_NEXT_OF_IPV4 = 90, /* struct ipt_entry, .next_offset; .target_offset is before it */
	XT_COUNTER_OF_IPV4 = 96,
	XT_NEXT_OF_IPV6 = 142,
	XT_COUNTER_OF_IPV6 = 152,

	XT_TARGET_KERNEL = 8,	/* struct xt_entry_target: the kernel's struct xt_target */
	XT_TARGET_VERDICT = 32, /* behind it, where the target is a verdict or a jump */
	XT_KERNEL_TARGET_NAME = 16,

	XT_VERDICT_DROP = -1,
};

/* A block is the memory that the kernel hands out counters from, in the order of the rules. */
enum {
	XT_BLOCK_RULES = 256,
	XT_BLOCK_BYTES = 4096,
};

struct xt_count {
	__u64 packets;
	__u64 bytes;
};

struct xt_block {
	struct xt_count counts[XT_BLOCK_RULES];
};

#define XT_REJECT 0x005443454a4552ULL /* "REJECT", with the zero byte behind it */
#define XT_REJECT_MASK 0xffffffffffffffULL

enum { XT_HOOKS = 5 };

/* struct xt_hooks has the offsets of the chains that hooks call: of each the first rule and the policy, its last. */
struct xt_hooks {
	__u32 first[XT_HOOKS];
	__u32 policy[XT_HOOKS];
};

/* These three compare without a branch, which the compiler would else make. */
static __always_inline __u64 bit__differ(__u64 left, __u64 right)
{
	__u64 difference = left ^ right, negative = -difference;

	asm volatile("" : "+r"(negative));
	negative |= difference;
	asm volatile("" : "+r"(negative));
	return negative >> 63;
}

static __always_inline __u64 bit__equal(__u64 left, __u64 right)
{
	return bit__differ(left, right) ^ 1;
}

static __always_inline __u64 bit__below(__u32 left, __u32 right)
{
	__u64 difference = (__u64)left - right;

	asm volatile("" : "+r"(difference));
	return difference >> 63;
}

static __always_inline __u64 xt__word(__u64 at)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (const void *)at);
	return word;
}

static __always_inline __u32 xt__half(__u64 at)
{
	__u32 half = 0;

	bpf_probe_read_kernel(&half, sizeof(half), (const void *)at);
	return half;
}

/* Returns the offsets of a rule's target and of the next rule, in the low and in the high 16 bits. */
static __always_inline __u32 xt__offsets(__u64 rule, bool is_ipv6)
{
	return xt__half(rule + (is_ipv6 ? XT_NEXT_OF_IPV6 : XT_NEXT_OF_IPV4) - 2);
}

static __always_inline __u64 xt__counter(__u64 rule, bool is_ipv6)
{
	return rule + (is_ipv6 ? XT_COUNTER_OF_IPV6 : XT_COUNTER_OF_IPV4);
}

static __always_inline __u64 xt__blob(__u64 info)
{
	return info + XT_INFO_BLOB;
}

static __always_inline __u32 xt__hook(struct nf_hook_state *state)
{
	__u32 hook = 0;

	/* The field is a u8 since 6.1, and the number fits in the first byte of the wider one before. */
	bpf_probe_read_kernel(&hook, 1, __builtin_preserve_access_index(&state->hook));
	return hook;
}
