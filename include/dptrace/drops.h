/* The drop-watch counts by struct dpt_kind_key, and counts in struct dpt_kind_count: key and value of its maps. The
 * file is plain C, because both sides read it.
 */
#pragma once

#include "event.h"

enum {
	DPT_KIND_HAS_REASON = 1, /* .reason is valid (since 5.17) */
	DPT_KIND_MULTICAST = 2,	 /* the IP destination is a multicast address or the broadcast one */
	DPT_KIND_FLOODED = 4,	 /* as DPT_HOP_FLOODED */
	DPT_KIND_OVER = 8,	 /* TCP: the receiving end of the connection had closed not long ago */
	DPT_KIND_HALF_OPEN = 16, /* TCP: the receiving end has just answered the same SYN again; told until 5.16 */
};

/* enum dpt_segment says what is lost with a TCP segment. */
enum dpt_segment {
	DPT_SEGMENT_UNKNOWN = 0, /* not TCP, or too little of it was read */
	DPT_SEGMENT_SYN = 1,	 /* the segment asks for a connection */
	DPT_SEGMENT_SYN_ACK = 2,
	DPT_SEGMENT_RST = 3,
	DPT_SEGMENT_EMPTY = 4, /* the segment acknowledges or ends, and carries nothing */
	DPT_SEGMENT_DATA = 5,
};

enum {
	DPT_DROPS_KINDS = 2048, /* kinds of one interval, shared out as below; the rest is counted without its kind */
	/* A pod's share of the kinds, wherever its packets die but in a stranger's network namespace. */
	DPT_DROPS_POD_SHARE = 256,
	/* The share of a network namespace that user space knows, for kinds without a pod; in the home netns each
	 * device has this share.
	 */
	DPT_DROPS_SHARE = 512,
	/* The share of any other network namespace, which anybody may have made; DPT_DROPS_STRANGERS is for all of
	 * those together.
	 */
	DPT_DROPS_STRANGERS_SHARE = 32,
	DPT_DROPS_STRANGERS = 512,
	DPT_DROPS_OWNERS = 4096, /* pods, namespaces and devices whose kinds are counted */
	DPT_DROPS_NETNS = 16384, /* namespaces that user space knows */
	DPT_DROPS_PODS = 16384,	 /* known pod addresses */
	DPT_DROPS_HELPERS = 32,	 /* functions that free packets for others */
};

/* struct dpt_range has the addresses of a function's code. */
struct dpt_range {
	__u64 begin;
	__u64 size;
};

/* struct dpt_owner says whose kinds are counted together. */
struct dpt_owner {
	__u32 netns;		/* 0: the kinds are a pod's, wherever, or of no known netns */
	__u32 ifindex;		/* the device in the home netns; 0 in all others */
	struct dpt_address pod; /* zero: none is known */
};

/* struct dpt_kind_key says in what drops are alike. Location 0 stands for the kinds of an owner that has used up its
 * share: all fields but the owner's and the netns are zero then.
 */
struct dpt_kind_key {
	__u64 location; /* return address into the freeing function; helpers that free for others are passed over */
	__u32 reason;	/* enum skb_drop_reason of the running kernel */
	__u32 netns;	/* inode number, 0: not known */
	__u32 ifindex;	/* 0: none */
	__u8 family;	/* of the innermost header: 4, 6, 0: not IP */
	__u8 packet_type : 3; /* skb->pkt_type */
	__u8 flags : 5;	      /* DPT_KIND_* */
	union {
		struct {
			__u8 protocol; /* of the innermost header */
			union {
				__u8 icmp_type; /* ICMP and ICMPv6 */
				__u8 segment;	/* TCP: enum dpt_segment */
			} of;
		} ip;
		__u16 ethertype; /* EtherType of a packet that is not IP, network byte order */
	} of;
	struct dpt_address pod; /* a known pod's address, of the source first; zero: neither end is one */
};

/* struct dpt_kind_count has the counts of one CPU. */
struct dpt_kind_count {
	__u64 packets;
	__u64 bytes;   /* sum of skb->len */
	__u64 sampled; /* jiffies when the last sample was given to the ring */
};

static inline __u8 dpt_segment_of(const struct dpt_flow *flow)
{
	enum {
		FIN = 1,
		SYN = 2,
		RST = 4,
		ACK = 16,
		IPV4_OFFSET_AND_MORE = 0x3fff,
	};

	if (flow->protocol != 6 || !flow->tcp_flags || flow->fragment & IPV4_OFFSET_AND_MORE)
		return DPT_SEGMENT_UNKNOWN;
	if (flow->tcp_flags & SYN)
		return flow->tcp_flags & ACK ? DPT_SEGMENT_SYN_ACK : DPT_SEGMENT_SYN;
	if (flow->tcp_flags & RST)
		return DPT_SEGMENT_RST;
	if (!flow->headers)
		return flow->tcp_flags & FIN ? DPT_SEGMENT_EMPTY : DPT_SEGMENT_UNKNOWN;
	return flow->length == flow->headers ? DPT_SEGMENT_EMPTY : DPT_SEGMENT_DATA;
}

/* The hash tells kinds apart: in a sample's hop.key it stands for the kind of the sample. */
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
