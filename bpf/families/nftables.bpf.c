/* Programs at nft_do_chain and at the expressions that give verdicts tell which rule of nftables dropped a packet. Only
 * traversals of packets that may be ours are followed: the program at the entry decides, and the others look at what it
 * has noted.
 */
#include "../lib/nft_search_5_10.bpf.h"
#include "../lib/decided.bpf.h"
#include "../lib/dropped.bpf.h"
#include "../lib/identity.bpf.h"
#include "../lib/place.bpf.h"

struct nft_pktinfo {
	struct sk_buff *skb;
	struct nf_hook_state *state;
} __attribute__((preserve_access_index));

/* struct nft_verdict_data is the beginning of struct nft_regs, and of the private part of an immediate expression. */
struct nft_verdict_data {
	__u32 code;
	__u32 reserved;
	__u64 chain;
};

struct nft_immediate_data {
	struct nft_verdict_data verdict;
	__u8 register_number; /* 0: the verdict */
};

enum {
	NFT_JUMP = -3,
	NFT_GOTO = -4,
	NF_VERDICT_MASK = 0xff,
	NF_DROP = 0,
	NF_STOLEN = 2,
	NF_ERROR_SHIFT = 16,
	NFT_EXPRESSION_DATA = 8, /* behind the pointer to the operations */
	NFT_FAMILY_MASK = 0x3f,
	KRETPROBE_STACK = 16, /* the return address is taken off the stack before a kretprobe is called */
};

/* struct net_generic begins with pointers, one for each module that keeps something in a netns. */
struct net___generic {
	void *gen;
} __attribute__((preserve_access_index));

static __always_inline bool nft__verdict_drops(__u32 verdict)
{
	/* Since 6.1 the kernel frees the packet before it returns, and says that it has taken it. */
	return (verdict & NF_VERDICT_MASK) == NF_DROP ||
	       ((verdict & NF_VERDICT_MASK) == NF_STOLEN && verdict >> NF_ERROR_SHIFT);
}

static __always_inline void nft__begin(__u64 packet, __u64 skb, __u64 state, __u64 chain, __u64 stack)
{
	struct dpt_nft_here *here = nft__here();
	struct dpt_nft_traversal *traversal;

	if (!here)
		return;
	traversal = nft__slot(here, packet);
	traversal->packet = packet;
	traversal->skb = skb;
	traversal->state = state;
	traversal->stack = stack;
	traversal->base = chain;
	traversal->dropper = 0;
	traversal->rejected = 0;
	traversal->evaluated_stack = 0;
	traversal->jumps = 0;
}

/* Notes that `expression` has given the verdict. */
static __always_inline void nft__note(struct dpt_nft_traversal *traversal, __u64 expression,
				      const struct nft_verdict_data *verdict)
{
	struct dpt_nft_jump *jump;

	if ((__s32)verdict->code == NFT_JUMP || (__s32)verdict->code == NFT_GOTO) {
		jump = nft__jump(traversal, ++traversal->jumps);
		jump->expression = expression;
		jump->chain = verdict->chain;
	} else if ((__s32)verdict->code >= 0 && (verdict->code & NF_VERDICT_MASK) == NF_DROP) {
		traversal->dropper = expression;
	}
}

static __always_inline void nft__note_immediate(struct dpt_nft_traversal *traversal, __u64 expression)
{
	struct nft_immediate_data data = {};

	if (!traversal)
		return;
	bpf_probe_read_kernel(&data, sizeof(data), (void *)(expression + NFT_EXPRESSION_DATA));
	if (!data.register_number)
		nft__note(traversal, expression, &data.verdict);
}

static __always_inline void nft__note_registers(struct dpt_nft_traversal *traversal, __u64 expression, __u64 registers)
{
	struct nft_verdict_data verdict = {.code = NFT_JUMP + 2};

	if (!traversal || bpf_probe_read_kernel(&verdict, sizeof(verdict), (void *)registers))
		return;
	nft__note(traversal, expression, &verdict);
}

/* Returns the generation of the rules of `net`. 0: it cannot be read. */
static __always_inline __u32 nft__generation(struct net *net)
{
	void *generic, *own = NULL;
	__u32 number = 0, seq = 0;

	if (nft_layout.net_seq) {
		bpf_probe_read_kernel(&seq, sizeof(seq), (void *)net + nft_layout.net_seq);
	} else if (nft_layout.pernet_seq) {
		generic = BPF_CORE_READ((struct net___generic *)net, gen);
		bpf_probe_read_kernel(&number, sizeof(number), (void *)nft_layout.pernet_id);
		bpf_probe_read_kernel(&own, sizeof(own), generic + number * sizeof(void *));
		bpf_probe_read_kernel(&seq, sizeof(seq), own + nft_layout.pernet_seq);
	}
	return seq;
}

static __always_inline __u64 nft__word(__u64 at)
{
	__u64 word = 0;

	bpf_probe_read_kernel(&word, sizeof(word), (void *)at);
	return word;
}

/* Fills the record but for its path. `chain` is the one that decided. */
static __always_inline void nft__fill(struct dpt_rule *record, const struct dpt_nft_traversal *traversal, __u64 chain)
{
	struct nf_hook_state *state = (struct nf_hook_state *)traversal->state;
	__u64 table = nft__word(chain + nft_layout.chain_table);
	struct net *net = BPF_CORE_READ(state, net);

	__builtin_memset(record, 0, sizeof(*record));
	record->netns = BPF_CORE_READ(net, ns.inum);
	record->revision = nft__generation(net);
	record->table = nft__word(table + nft_layout.table_handle);
	record->chain = nft__word(chain + nft_layout.chain_handle);
	record->ruleset = DPT_RULESET_NFTABLES;
	record->family = nft__word(table + nft_layout.table_family) & NFT_FAMILY_MASK;
	record->hook = BPF_CORE_READ(state, hook);
	bpf_probe_read_kernel_str(record->table_name, sizeof(record->table_name),
				  (void *)nft__word(table + nft_layout.table_name));
	bpf_probe_read_kernel_str(record->chain_name, sizeof(record->chain_name),
				  (void *)nft__word(chain + nft_layout.chain_name));
}

/* Tells the path that was found, the last rule first, in its order. */
static __always_inline void nft__fill_path(struct dpt_rule *record, const struct dpt_nft_search *search)
{
	__u32 length = search->length;

	for (__u32 i = 0; i < DPT_RULE_PATH; i++) {
		if (i < length)
			record->path[i] = search->path[(length - 1 - i) & (DPT_RULE_PATH - 1)];
	}
	record->path_length = length;
	record->path_is_whole = search->is_whole;
}

/* Returns whether the traversal has ended with a drop of a packet that may be ours, and which rule did it has to be
 * searched for.
 */
static __always_inline bool nft__ends(struct dpt_nft_traversal *traversal, __u32 verdict)
{
	struct dpt_dropped *last = dropped__last();

	if (!nft__verdict_drops(verdict))
		return false;
	if ((verdict & NF_VERDICT_MASK) == NF_STOLEN && last && last->skb != traversal->skb)
		return false;
	nft__search_begin(traversal);
	return true;
}

/* Notes the rule that the search has found, or the policy. The expression of an object or of an element is in no rule:
 * then no rule is told.
 */
static __always_inline void nft__decide(struct dpt_nft_traversal *traversal)
{
	struct dpt_rule *record = decided__last();
	__u8 policy = 1;

	if (!record)
		return;
	record->skb = 0;
	if (traversal->dropper) {
		if (!traversal->search.length)
			return;
		nft__fill(record, traversal, traversal->search.decider);
		nft__fill_path(record, &traversal->search);
		record->flags = traversal->rejected ? DPT_RULE_REJECTED : 0;
	} else {
		bpf_probe_read_kernel(&policy, sizeof(policy), (void *)(traversal->base - nft_layout.policy_before));
		if (policy != NF_DROP)
			return;
		nft__fill(record, traversal, traversal->base);
		record->flags = DPT_RULE_POLICY;
		record->path_is_whole = 1;
	}
	record->skb = traversal->skb;
}

static __always_inline bool nft__concerns_us(struct sk_buff *skb, struct nf_hook_state *state)
{
	struct dpt_bytes bytes;

	if (skb__is_marked(skb))
		return true;
	if (netfilter__is_marked_before(skb, state))
		return false;
	bytes__of_network_header(&bytes, skb);
	return !glance__dismisses(&bytes, translated_since != 0);
}

SEC("?fentry/nft_do_chain")
int dptrace_nft_enter(__u64 *ctx)
{
	struct nft_pktinfo *packet = (struct nft_pktinfo *)ctx[0];
	struct nf_hook_state *state = packet->state;
	struct sk_buff *skb = packet->skb;

	if (nft__concerns_us(skb, state))
		nft__begin(ctx[0], (__u64)skb, (__u64)state, ctx[1], 0);
	else
		nft__forget(ctx[0]);
	return 0;
}

SEC("?fentry/nft_immediate_eval")
int dptrace_nft_immediate(__u64 *ctx)
{
	nft__note_immediate(nft__of_packet(ctx[2]), ctx[0]);
	return 0;
}

#define ON_EXPRESSION(program)                                                                                         \
	int program(__u64 *ctx)                                                                                        \
	{                                                                                                              \
		nft__note_registers(nft__of_packet(ctx[2]), ctx[0], ctx[1]);                                           \
		return 0;                                                                                              \
	}

SEC("?fexit/nft_lookup_eval")
ON_EXPRESSION(dptrace_nft_lookup)

SEC("?fexit/nft_target_eval_xt")
ON_EXPRESSION(dptrace_nft_target)

SEC("?fexit/nft_target_eval_bridge")
ON_EXPRESSION(dptrace_nft_bridge_target)

/* Some matches of iptables drop packets that are broken. */
SEC("?fexit/nft_match_eval")
ON_EXPRESSION(dptrace_nft_match)

/* One with much data of its own, as the comments of iptables have. */
SEC("?fexit/nft_match_large_eval")
ON_EXPRESSION(dptrace_nft_match_large)

SEC("?fexit/nft_do_chain")
int dptrace_nft_leave(__u64 *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_packet(ctx[0]);
	struct dpt_nft_here *here = nft__here();

	if (!traversal || !here)
		return 0;
	if (nft__ends(traversal, ctx[2])) {
		nft__search(traversal);
		nft__decide(traversal);
	}
	nft__release(here, traversal);
	return 0;
}

/* The programs below are for kprobes: 5.10 knows no types of modules, and a module may be loaded after dptrace. */
static __always_inline bool nft__may_concern_us(struct sk_buff *skb, struct nf_hook_state *state)
{
	__u8 hook = BPF_CORE_READ(state, hook), family = BPF_CORE_READ(state, pf);

	if (following && marks__has((__u64)skb, (__u64)BPF_CORE_READ(skb, head)))
		return true;
	if (!config.sees_devices || !BPF_CORE_READ(skb, skb_iif) || hook == NF_LOCAL_OUT)
		return true;
	return family != NFPROTO_BRIDGE &&
	       (hook == NF_PRE_ROUTING || hook == NF_POST_ROUTING ||
		BPF_CORE_READ_BITFIELD_PROBED((struct sk_buff___packet_type *)skb, pkt_type));
}

/* Returns the traversal in whose nft_do_chain, or else whose expression, this kretprobe is: its stack pointer is behind
 * that of the entry. NULL: none.
 */
static __always_inline struct dpt_nft_traversal *nft__of_stack(__u64 stack, bool evaluated)
{
	struct dpt_nft_here *here = nft__here();

	if (!here || !here->used)
		return NULL;
	for (__u32 i = 0; i < NFT_TRAVERSALS; i++) {
		struct dpt_nft_traversal *traversal = nft__numbered(here, i);

		if (traversal->packet &&
		    stack - (evaluated ? traversal->evaluated_stack : traversal->stack) <= KRETPROBE_STACK)
			return traversal;
	}
	return NULL;
}

SEC("?kprobe")
int dptrace_nft_enter_k(struct pt_regs *ctx)
{
	__u64 packet = PT_REGS_PARM1(ctx), skb = nft__word(packet), state = nft__word(packet + nft_layout.packet_state);

	if (nft__may_concern_us((struct sk_buff *)skb, (struct nf_hook_state *)state))
		nft__begin(packet, skb, state, PT_REGS_PARM2(ctx), PT_REGS_SP(ctx));
	else
		nft__forget(packet);
	return 0;
}

SEC("?kprobe")
int dptrace_nft_immediate_k(struct pt_regs *ctx)
{
	nft__note_immediate(nft__of_packet(PT_REGS_PARM3(ctx)), PT_REGS_PARM1(ctx));
	return 0;
}

/* All expressions of `reject` drop the packet. */
SEC("?kprobe")
int dptrace_nft_reject_k(struct pt_regs *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_packet(PT_REGS_PARM3(ctx));

	if (traversal) {
		traversal->dropper = PT_REGS_PARM1(ctx);
		traversal->rejected = 1;
	}
	return 0;
}

/* The target REJECT of iptables. */
SEC("?kprobe")
int dptrace_nft_reject_target_k(struct pt_regs *ctx)
{
	struct dpt_nft_here *here = nft__here();

	if (!here || !here->used)
		return 0;
	for (__u32 i = 0; i < NFT_TRAVERSALS; i++) {
		if (here->traversals[i].packet && here->traversals[i].skb == PT_REGS_PARM1(ctx))
			here->traversals[i].rejected = 1;
	}
	return 0;
}

SEC("?kprobe")
int dptrace_nft_evaluate_k(struct pt_regs *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_packet(PT_REGS_PARM3(ctx));

	if (traversal) {
		traversal->evaluated = PT_REGS_PARM1(ctx);
		traversal->evaluated_registers = PT_REGS_PARM2(ctx);
		traversal->evaluated_stack = PT_REGS_SP(ctx);
	}
	return 0;
}

SEC("?kprobe")
int dptrace_nft_evaluated_k(struct pt_regs *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_stack(PT_REGS_SP(ctx), true);

	if (traversal) {
		nft__note_registers(traversal, traversal->evaluated, traversal->evaluated_registers);
		traversal->evaluated_stack = 0;
	}
	return 0;
}

SEC("?kprobe")
int dptrace_nft_leave_k(struct pt_regs *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_stack(PT_REGS_SP(ctx), false);
	struct dpt_nft_here *here = nft__here();

	if (!traversal || !here)
		return 0;
	if (nft__ends(traversal, PT_REGS_RC(ctx))) {
		nft__search(traversal);
		nft__decide(traversal);
	}
	nft__release(here, traversal);
	return 0;
}

/* Before 5.17. */
SEC("?kprobe")
int dptrace_nft_leave_w(struct pt_regs *ctx)
{
	struct dpt_nft_traversal *traversal = nft__of_stack(PT_REGS_SP(ctx), false);
	struct dpt_nft_here *here = nft__here();

	if (!traversal || !here)
		return 0;
	if (nft__ends(traversal, PT_REGS_RC(ctx))) {
		nft__search_pointers(traversal);
		nft__decide(traversal);
	}
	nft__release(here, traversal);
	return 0;
}
