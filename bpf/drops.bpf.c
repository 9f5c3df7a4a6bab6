/* The programs of `dptrace drops`: the one at skb:kfree_skb counts every drop by its kind, and shows a few. */
#include "lib/kind.bpf.h"

#define SAMPLE_EVERY 1000 /* jiffies between two samples of a kind on a CPU: 1 s or more, up to 10 s at HZ=100 */

/* Two maps of counts are used in turn: user space empties the one that no program uses any more. */
#define DROPS_COUNTS(name)                                                                                             \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_PERCPU_HASH);                                                                \
		__uint(max_entries, DPT_DROPS_KINDS);                                                                  \
		__type(key, struct dpt_kind_key);                                                                      \
		__type(value, struct dpt_kind_count);                                                                  \
	} name SEC(".maps")

DROPS_COUNTS(watch_counts_even);
DROPS_COUNTS(watch_counts_odd);

/* watch_other counts the drops of kinds that found no room. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_kind_count);
} watch_other SEC(".maps");

/* watch_netns has the network namespaces of pods and those with a name: root has made them. User space writes it. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DPT_DROPS_NETNS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, __u8);
} watch_netns SEC(".maps");

struct dpt_share {
	__u32 epoch;
	__u32 kinds; /* in that epoch */
};

/* watch_shares has the share that each owner has used. Owners that had no drop for long are forgotten first. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DPT_DROPS_OWNERS);
	__type(key, struct dpt_owner);
	__type(value, struct dpt_share);
} watch_shares SEC(".maps");

/* watch_strangers counts the kinds of all strangers, by the last bit of the epoch. User space empties it. */
__u32 watch_strangers[2] = {};

/* The last bit of watch_epoch tells which map of counts is in use. User space writes it. */
__u32 watch_epoch = 0;

/* The additions are atomic: until 6.1 a drop in a softirq may come in between. */
static __always_inline void drops__add(struct dpt_kind_count *count, __u32 bytes)
{
	__sync_fetch_and_add(&count->packets, 1);
	__sync_fetch_and_add(&count->bytes, bytes);
}

/* Returns whether a new kind is within its owner's share. Several CPUs that ask at the same time may exceed it a
 * little.
 */
static __always_inline bool drops__has_share(const struct dpt_owner *owner, bool known, __u32 epoch)
{
	struct dpt_share *share = bpf_map_lookup_elem(&watch_shares, owner);
	__u32 limit = known ? owner->netns ? DPT_DROPS_SHARE : DPT_DROPS_POD_SHARE : DPT_DROPS_STRANGERS_SHARE;
	__u32 *strangers = &watch_strangers[epoch & 1];

	if (share && share->epoch != epoch) {
		share->epoch = epoch;
		share->kinds = 0;
	}
	if (share && share->kinds >= limit)
		return false;
	if (!known) {
		if (*strangers >= DPT_DROPS_STRANGERS)
			return false;
		__sync_fetch_and_add(strangers, 1);
	}
	if (share) {
		__sync_fetch_and_add(&share->kinds, 1);
	} else {
		struct dpt_share first = {.epoch = epoch, .kinds = 1};

		bpf_map_update_elem(&watch_shares, owner, &first, BPF_ANY);
	}
	return true;
}

/* Makes a kind beyond the share of its owner that owner's `other`. */
static __always_inline void drops__fold(struct dpt_kind_key *kind, const struct dpt_owner *owner)
{
	__u32 netns = kind->netns;

	__builtin_memset(kind, 0, sizeof(*kind));
	kind->netns = netns;
	kind->ifindex = owner->ifindex;
	kind->pod = owner->pod;
}

static __always_inline bool kind__has_pod(const struct dpt_kind_key *kind)
{
	const __u64 *words = (const __u64 *)kind->pod.bytes;

	return words[0] || words[1];
}

/* A pod's address proves nothing in a stranger's network namespace: the owner there is the namespace. */
static __always_inline void drops__fold_beyond_share(struct dpt_kind_key *kind, __u32 epoch)
{
	/* A drop without a netns is nobody's, and everybody's: it is not counted as a stranger's. */
	bool known =
		!kind->netns || kind->netns == config.home_netns || bpf_map_lookup_elem(&watch_netns, &kind->netns);
	struct dpt_owner owner = {};

	if (known && kind__has_pod(kind)) {
		owner.pod = kind->pod;
	} else {
		owner.netns = kind->netns;
		if (kind->netns == config.home_netns)
			owner.ifindex = kind->ifindex;
	}
	if (!drops__has_share(&owner, known, epoch))
		drops__fold(kind, &owner);
}

/* Counts a drop. Returns true when a sample of its kind is due. */
static __always_inline bool drops__count(void *counts, struct dpt_kind_key *kind, __u32 epoch, __u32 bytes)
{
	struct dpt_kind_count *count = bpf_map_lookup_elem(counts, kind);
	__u64 jiffies = bpf_jiffies64();

	if (!count) {
		struct dpt_kind_count first = {.packets = 1, .bytes = bytes, .sampled = jiffies};
		__u32 zero = 0;

		drops__fold_beyond_share(kind, epoch);
		if (!bpf_map_update_elem(counts, kind, &first, BPF_NOEXIST))
			return kind->location != 0;
		count = bpf_map_lookup_elem(counts, kind);
		if (!count) {
			count = bpf_map_lookup_elem(&watch_other, &zero);
			if (count)
				drops__add(count, bytes);
			return false;
		}
	}
	drops__add(count, bytes);
	if (!kind->location)
		return false;
	if (count->sampled && jiffies - count->sampled < SAMPLE_EVERY)
		return false;
	count->sampled = jiffies;
	return true;
}

static __always_inline void drops__show(void *ctx, struct sk_buff *skb, const struct dpt_kind_key *kind,
					struct dpt_seen *seen)
{
	const struct net_device *dev;
	struct dpt_place place;
	struct dpt_drop *drop;
	long stack;

	seen->now = bpf_ktime_get_ns();
	seen->key = dpt_kind_hash(kind);

	dev = place__of_skb(&place, skb, DPT_POINT_DROP);
	place.ifindex = kind->ifindex;
	place.netns = kind->netns;
	if (dev && place.netns)
		emit__device(dev, &place, seen->now);
	if (!kind->family)
		return; /* there is no flow to show */
	drop = emit__reserve(DPT_EVENT_DROP, sizeof(*drop));
	if (!drop)
		return;
	emit__begin(&drop->hop.event, DPT_EVENT_DROP, sizeof(*drop), seen->now);
	emit__fill(&drop->hop, &place, seen);
	drop->location = kind->location;
	drop->reason = kind->reason;
	drop->has_reason = config.has_drop_reason;
	drop->reserved = 0;
	drop->mark = skb->mark;
	drop->reserved_too = 0;
	__builtin_memset(drop->stack, 0, sizeof(drop->stack));
	stack = bpf_get_stack(ctx, drop->stack, sizeof(drop->stack), 0);
	drop->stack_depth = stack > 0 ? stack / sizeof(drop->stack[0]) : 0;
	emit__submit(drop);
}

SEC("?tp_btf/kfree_skb")
int BPF_PROG(dptrace_watch, struct sk_buff *skb, void *location)
{
	struct dpt_kind_key kind = {};
	struct dpt_bytes bytes;
	union dpt_room room;
	__u32 epoch;
	bool due;

	kind.location = kind__dropper(ctx, (__u64)location, &room);
	bytes__of_network_header(&bytes, skb);
	if (config.has_drop_reason) {
		kind.reason = ctx[2];
		kind.flags = DPT_KIND_HAS_REASON;
	}
	if (!kind__of_skb(&kind, skb, &bytes, &room.seen))
		return 0;
	epoch = *(volatile __u32 *)&watch_epoch;
	if (epoch & 1)
		due = drops__count(&watch_counts_odd, &kind, epoch, skb->len);
	else
		due = drops__count(&watch_counts_even, &kind, epoch, skb->len);
	if (due)
		drops__show(ctx, skb, &kind, &room.seen);
	return 0;
}

enum {
	TCP_CLOSE = 7,
};

/* The program notes every end that has let go of its connection: closed in order, reset, or given up. */
SEC("?tp_btf/inet_sock_set_state")
int BPF_PROG(dptrace_tcp, const struct sock *sk, int before, int state)
{
	struct dpt_connection connection;

	/* A socket without a remote port was listening. */
	if (state != TCP_CLOSE || !sk->__sk_common.skc_dport)
		return 0;
	connection__of_sock(&connection, &sk->__sk_common);
	connection__note(&watch_closed, &connection);
	return 0;
}

/* The program notes ends that answer a SYN again. On 5.10 nothing else tells of the request: a repeated SYN is freed at
 * the same place as one that meets no socket.
 */
SEC("?fentry/inet_rtx_syn_ack")
int BPF_PROG(dptrace_syn_ack, const struct sock *listener, const struct request_sock *request)
{
	struct dpt_connection connection;

	connection__of_sock(&connection, &request->__req_common);
	connection__note(&watch_half_open, &connection);
	return 0;
}
