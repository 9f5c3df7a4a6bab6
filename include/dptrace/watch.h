/* What the drop-watch counts by and what it counts: key and value of its maps. Plain C, read by both sides. */
#pragma once

#include "event.h"

enum {
	DPT_KIND_HAS_REASON = 1, /* .reason means something (since 5.17) */
	DPT_KIND_MULTICAST = 2,	 /* sent to many: an IP multicast or broadcast, or a link-layer one */
	DPT_KIND_OTHER_HOST = 4, /* the frame was addressed to another host */
	DPT_KIND_TCP_FIN = 8,	 /* ends a TCP connection; told where there are no reasons */
};

enum {
	DPT_WATCH_KINDS = 2048, /* of one interval; what is more is counted without its kind */
	DPT_WATCH_PODS = 16384, /* known pod addresses */
};

/* Drops that are alike. */
struct dpt_kind_key {
	__u64 location; /* return address into the freeing function */
	__u32 reason;	/* enum skb_drop_reason of the running kernel */
	__u32 netns;	/* inode number, 0: not known */
	__u32 ifindex;	/* 0: none */
	__u8 family;	/* of the innermost header: 4, 6, 0: not IP */
	__u8 flags;	/* DPT_KIND_* */
	union {
		struct {
			__u8 protocol;	/* of the innermost header */
			__u8 icmp_type; /* ICMP and ICMPv6 only */
		} ip;
		__u16 ethertype; /* of what is not IP, network byte order */
	} of;
	struct dpt_address pod; /* the end that is a known pod's, the source first; zero: neither */
};

/* Of one CPU. */
struct dpt_kind_count {
	__u64 packets;
	__u64 bytes;   /* of skb->len */
	__u64 sampled; /* jiffies of the last sample given to the ring */
};

/* Tells kinds apart: in a sample's hop.key it stands for its kind. */
static inline __u64 dpt_kind_hash(const struct dpt_kind_key *kind)
{
	const __u64 *words = (const __u64 *)kind;
	__u64 hash = 0;

	for (int i = 0; i < 5; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

static_assert(sizeof(struct dpt_kind_key) == 40, "wire size");
static_assert(sizeof(struct dpt_kind_count) == 24, "wire size");
