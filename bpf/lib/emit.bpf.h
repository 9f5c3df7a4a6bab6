/* These functions reserve a record in the ring, fill it and submit it, and count the records that found no room. */
#pragma once

#include "packet.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 8 * 1024 * 1024); /* a default: user space sets the size before it loads the programs */
} ring __weak SEC(".maps");

/* The counts are per CPU, so that no CPUs share one: records written, and records that found the ring full, by enum
 * dpt_event_kind.
 */
struct dpt_counts {
	__u64 written;
	__u64 lost[DPT_EVENT_FULL_LISTENER + 1];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct dpt_counts);
} counts __weak SEC(".maps");

struct dpt_device_key {
	__u32 netns;
	__u32 ifindex;
};

/* `devices` has the devices that were told, each with its pointer: a later device with the same numbers has another
 * one.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, struct dpt_device_key);
	__type(value, __u64);
} devices __weak SEC(".maps");

/* While packets come, the reader polls by time, because a wake-up costs as much as a hundred records. Each CPU wakes it
 * with one record in WAKE_EVERY, which is enough to have the ring emptied in time when it fills faster than the reader
 * polls. When no packets come, the reader sleeps, and the first record wakes it.
 */
#define WAKE_EVERY 4096

__u32 reader_sleeps __weak = 0;

static __always_inline void *emit__reserve(__u32 kind, __u64 size)
{
	void *record = bpf_ringbuf_reserve(&ring, size, 0);

	if (!record) {
		__u32 zero = 0;
		struct dpt_counts *count = bpf_map_lookup_elem(&counts, &zero);

		if (count)
			__sync_fetch_and_add(&count->lost[kind], 1);
	}
	return record;
}

static __always_inline void emit__submit(void *record)
{
	__u32 zero = 0;
	struct dpt_counts *count = bpf_map_lookup_elem(&counts, &zero);
	__u64 flags = BPF_RB_NO_WAKEUP;

	if (count && ++count->written % WAKE_EVERY == 0)
		flags = BPF_RB_FORCE_WAKEUP;
	if (reader_sleeps) {
		reader_sleeps = 0;
		flags = BPF_RB_FORCE_WAKEUP;
	}
	bpf_ringbuf_submit(record, flags);
}

static __always_inline void emit__begin(struct dpt_event *event, __u16 kind, __u16 size, __u64 now)
{
	event->kind = kind;
	event->size = size;
	event->cpu = bpf_get_smp_processor_id();
	event->time_ns = now;
}

/* struct dpt_place says where a program met a packet, in the fields of struct dpt_hop. */
struct dpt_place {
	__u64 skb;
	__u32 netns;
	__u32 ifindex;
	__u32 iif;
	__u32 length;
	__u8 point;
	__u8 flags;
	__u8 packet_type;
};

static __always_inline void emit__fill_place(struct dpt_hop *hop, const struct dpt_place *place, __u64 key)
{
	hop->skb = place->skb;
	hop->key = key;
	hop->netns = place->netns;
	hop->ifindex = place->ifindex;
	hop->iif = place->iif;
	hop->length = place->length;
	hop->point = place->point;
	hop->flags = place->flags;
	hop->packet_type = place->packet_type;
	hop->reserved = 0;
}

/* Fills a hop that has room for a tunnel, as part of a larger record. */
static __always_inline void emit__fill(struct dpt_hop *hop, const struct dpt_place *place, const struct dpt_seen *seen)
{
	emit__fill_place(hop, place, seen->key);
	hop->flow = seen->flow;
	if (seen->tunnel.kind != DPT_TUNNEL_NONE)
		hop->tunnel = seen->tunnel;
	else
		__builtin_memset(&hop->tunnel, 0, sizeof(hop->tunnel));
}

static __always_inline void emit__hop(const struct dpt_place *place, const struct dpt_seen *seen)
{
	const __u32 plain = __builtin_offsetof(struct dpt_hop, tunnel);
	struct dpt_hop *hop;

	if (seen->tunnel.kind != DPT_TUNNEL_NONE) {
		hop = emit__reserve(DPT_EVENT_HOP, sizeof(*hop));
		if (!hop)
			return;
		emit__begin(&hop->event, DPT_EVENT_HOP, sizeof(*hop), seen->now);
		hop->tunnel = seen->tunnel;
	} else {
		hop = emit__reserve(DPT_EVENT_HOP, plain);
		if (!hop)
			return;
		emit__begin(&hop->event, DPT_EVENT_HOP, plain, seen->now);
	}
	emit__fill_place(hop, place, seen->key);
	hop->flow = seen->flow;
	emit__submit(hop);
}

/* Tells user space of a device that it has not been told of. For tracing programs only. */
static __always_inline void emit__device(const struct net_device *dev, const struct dpt_place *place, __u64 now)
{
	struct dpt_device_key key = {.netns = place->netns, .ifindex = place->ifindex};
	__u64 pointer = (__u64)dev;
	__u64 *known = bpf_map_lookup_elem(&devices, &key);
	const struct rtnl_link_ops *ops;
	struct dpt_device *device;

	if (known && *known == pointer)
		return;
	device = emit__reserve(DPT_EVENT_DEVICE, sizeof(*device));
	if (!device)
		return; /* the next packet tells of the device */
	__builtin_memset(device, 0, sizeof(*device));
	emit__begin(&device->event, DPT_EVENT_DEVICE, sizeof(*device), now);
	device->netns = key.netns;
	device->ifindex = key.ifindex;
	device->mtu = BPF_CORE_READ(dev, mtu);
	device->type = BPF_CORE_READ(dev, type);
	BPF_CORE_READ_STR_INTO(&device->name, dev, name);
	ops = BPF_CORE_READ(dev, rtnl_link_ops);
	if (ops)
		bpf_probe_read_kernel_str(device->kind, sizeof(device->kind), BPF_CORE_READ(ops, kind));
	emit__submit(device);
	bpf_map_update_elem(&devices, &key, &pointer, BPF_ANY);
}
