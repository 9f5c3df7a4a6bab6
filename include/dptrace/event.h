/* The BPF programs write these records into the ring, and recordings keep them: one header and one struct per kind of
 * event. The file is plain C, because both sides read it. Fields have fixed widths and explicit padding, structs are
 * multiples of 8 bytes, and values have host byte order unless said otherwise.
 */
#pragma once

#include <linux/types.h>

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

enum dpt_event_kind {
	DPT_EVENT_HOP = 1,
	DPT_EVENT_DROP = 2,
	DPT_EVENT_NETFILTER = 3,
	DPT_EVENT_DEVICE = 4,
	DPT_EVENT_END = 5,  /* an skb of ours was consumed */
	DPT_EVENT_LOST = 6, /* written by user space: hops may be missing */
	DPT_EVENT_RULE = 7, /* the rule that dropped a packet */
	DPT_EVENT_FULL_LISTENER = 8,
};

enum dpt_hop_flag {
	DPT_HOP_GSO = 1,     /* the skb stands for several segments */
	DPT_HOP_MATCHES = 2, /* the filter matches the packet itself, not only what is remembered of it */
	DPT_HOP_FIRST = 4,   /* the skb was made here: OUTPUT, or the first transmit of a local sender */
	DPT_HOP_FLOODED = 8, /* in a drop: the device also gets frames for other hosts, see place.bpf.h */
};

enum dpt_point {
#define DPT_POINT(id, value, name, help) DPT_POINT_##id = value,
#include "points.def"
#undef DPT_POINT
};

enum dpt_tunnel_kind {
	DPT_TUNNEL_NONE = 0,
	DPT_TUNNEL_IPIP = 1,
	DPT_TUNNEL_VXLAN = 2,
	DPT_TUNNEL_GENEVE = 3,
	DPT_TUNNEL_GRE = 4,
};

/* Where rules are kept. */
enum dpt_ruleset {
	DPT_RULESET_XTABLES = 1, /* iptables-legacy, ip6tables-legacy */
	DPT_RULESET_NFTABLES = 2,
	DPT_RULESET_EBTABLES = 3, /* ebtables-legacy */
};

enum dpt_rule_flag {
	DPT_RULE_POLICY = 1,   /* no rule decided, but the policy of the chain that the hook calls */
	DPT_RULE_ONE_OF = 2,   /* each rule of .path may be the one: what the program saw does not tell them apart */
	DPT_RULE_REJECTED = 4, /* the sender was told, by an ICMP error or a TCP reset */
};

enum {
	DPT_STACK_DEPTH = 16,
	DPT_NAME_LENGTH = 16,
	DPT_RULE_PATH = 16,
	DPT_RULE_NAME = 32,
};

/* struct dpt_event begins every record. */
struct dpt_event {
	__u16 kind; /* enum dpt_event_kind */
	__u16 size; /* bytes of the whole record, this header included */
	__u32 cpu;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* struct dpt_address is an IPv6 address, or an IPv4 address as ::ffff:a.b.c.d; network byte order. */
struct dpt_address {
	__u8 bytes[16];
};

/* struct dpt_flow has the innermost IP header, and the fields of layer 4 that tell packets apart. */
struct dpt_flow {
	struct dpt_address source;
	struct dpt_address destination;
	union {
		struct {
			__u16 source;
			__u16 destination;
		} port;
		struct {
			__u8 type;
			__u8 code;
			__u16 id; /* echo only */
		} icmp;
	} l4;
	__u32 sequence; /* TCP, or ICMP echo */
	__u32 acknowledgment;
	__u32 length;	/* bytes of the IP packet, header included */
	__u32 ip_id;	/* 16 bits of IPv4, 32 of an IPv6 fragment header, 0 for IPv6 without one */
	__u16 fragment; /* IPv4 frag_off with its flags; IPv6: offset and M bit moved to the same places */
	__u16 headers;	/* bytes from the IP header to the payload of layer 4, options included; 0: not known */
	__u8 family;	/* 4 or 6 */
	__u8 protocol;
	__u8 ttl;
	__u8 tcp_flags;
};

/* struct dpt_tunnel has the IP header around the innermost one. */
struct dpt_tunnel {
	struct dpt_address source;
	struct dpt_address destination;
	__u32 id;    /* VNI or GRE key */
	__u16 port;  /* UDP destination port, 0 for none */
	__u8 family; /* 4 or 6 */
	__u8 kind;   /* enum dpt_tunnel_kind */
};

/* struct dpt_hop is a packet at one point of its way. The record of a plain hop ends before .tunnel when the packet is
 * in no tunnel.
 */
struct dpt_hop {
	struct dpt_event event;
	__u64 skb;	  /* address of the sk_buff, which is recycled at once: believe it only while .key agrees */
	__u64 key;	  /* hash of what NAT and encapsulation leave alone in the innermost packet */
	__u32 netns;	  /* inode number, 0: not known at this point */
	__u32 ifindex;	  /* 0: none */
	__u32 iif;	  /* skb->skb_iif: the device of this netns that received it, 0: none */
	__u32 length;	  /* skb->len */
	__u8 point;	  /* enum dpt_point */
	__u8 flags;	  /* enum dpt_hop_flag */
	__u8 packet_type; /* skb->pkt_type: PACKET_HOST, PACKET_BROADCAST, ..., PACKET_LOOPBACK */
	__u8 reserved;
	struct dpt_flow flow;
	struct dpt_tunnel tunnel;
};

struct dpt_drop {
	struct dpt_hop hop;
	__u64 location;	 /* return address into the freeing function */
	__u32 reason;	 /* enum skb_drop_reason of the running kernel */
	__u8 has_reason; /* 0: a kernel without reasons (before 5.17) */
	__u8 stack_depth;
	__u16 reserved;
	__u64 stack[DPT_STACK_DEPTH]; /* return addresses, innermost first */
	__u32 mark;		      /* skb->mark; recordings of older versions end before it */
	__u32 reserved_too;
};

struct dpt_netfilter {
	struct dpt_hop hop;
	__u64 function;	 /* address of the hook function that decided, 0: all accepted, or it is not known */
	__s32 result;	 /* result of nf_hook_slow: 1 accepted, 0 stolen or queued, below 0 dropped */
	__u8 hook;	 /* NF_INET_* */
	__u8 family;	 /* NFPROTO_* */
	__u16 functions; /* number of functions that are registered at the hook */
};

/* struct dpt_end tells that an skb was consumed (consume_skb) which was followed and which no socket had taken: nothing
 * more is heard of it.
 */
struct dpt_end {
	struct dpt_event event;
	__u64 skb;
	__u64 key;
	__u64 location; /* return address into the consuming function, 0: not known */
};

/* struct dpt_full_listener tells that a request for a TCP connection came to a listener that had no room for it. The
 * kernel frees such a request as if the listener had taken it. The record comes behind that of the socket.
 */
struct dpt_full_listener {
	struct dpt_event event;
	__u64 skb;
	__u64 key;
	__u32 waiting;	 /* connections that wait to be accepted */
	__u32 limit;	 /* no more than one above it may wait: what the program gave to listen(), or .somaxconn */
	__u32 somaxconn; /* net.core.somaxconn of its network namespace */
	__u32 reserved;
};

/* struct dpt_lost tells that `records` records found no room, or were missed because their program was running already,
 * between .since_ns and the event's own time. 0: not all families of probes were attached then. A packet that was under
 * way in that time may lack hops.
 */
struct dpt_lost {
	struct dpt_event event;
	__u64 since_ns;
	__u64 records;
};

/* struct dpt_device describes a network device. It is written when a program first meets the device. */
struct dpt_device {
	struct dpt_event event;
	__u32 netns;
	__u32 ifindex;
	char name[DPT_NAME_LENGTH];
	char kind[DPT_NAME_LENGTH]; /* rtnl_link_ops.kind, empty for a physical device and for lo */
	__u32 mtu;
	__u16 type; /* ARPHRD_* */
	__u16 reserved;
};

/* struct dpt_rule tells which rule dropped a packet. It comes behind the packet's drop and its record of the netfilter
 * hook, and has the time of that drop. A rule is known by a number: its place in the table from 0 on, all chains
 * counted (xtables, ebtables), or its handle (nftables).
 */
struct dpt_rule {
	struct dpt_event event;
	__u64 skb;
	__u64 key;
	__u64 revision; /* of the rules in force: address of the table's xt_table_info, or the generation of nftables */
	__u64 table;	/* address of the table (xtables, ebtables), handle of the table (nftables) */
	__u64 chain;	/* nftables: handle of the chain that decided, 0: not known */
	__u32 netns;
	__u32 rules;	    /* xtables, ebtables: number of rules of the table */
	__u8 ruleset;	    /* enum dpt_ruleset */
	__u8 family;	    /* NFPROTO_* of the table */
	__u8 hook;	    /* NF_INET_* */
	__u8 flags;	    /* enum dpt_rule_flag */
	__u8 path_length;   /* rules in .path */
	__u8 path_is_whole; /* 0: rules between may be missing, at the beginning or beyond DPT_RULE_PATH */
	__u16 reserved;
	char table_name[DPT_RULE_NAME];
	char chain_name[DPT_RULE_NAME]; /* nftables: of the chain that decided; cut off when it is longer */
	__u64 path[DPT_RULE_PATH];	/* rules that led to the end; the last one decided, unless a policy did */
};

static_assert(sizeof(struct dpt_event) == 16, "wire size");
static_assert(sizeof(struct dpt_flow) == 60, "wire size");
static_assert(sizeof(struct dpt_tunnel) == 40, "wire size");
static_assert(sizeof(struct dpt_hop) == 152, "wire size");
static_assert(sizeof(struct dpt_drop) == 304, "wire size");
static_assert(sizeof(struct dpt_netfilter) == 168, "wire size");
static_assert(sizeof(struct dpt_end) == 40, "wire size");
static_assert(sizeof(struct dpt_full_listener) == 48, "wire size");
static_assert(sizeof(struct dpt_lost) == 32, "wire size");
static_assert(sizeof(struct dpt_device) == 64, "wire size");
static_assert(sizeof(struct dpt_rule) == 264, "wire size");
