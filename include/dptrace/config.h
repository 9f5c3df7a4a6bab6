/* User space tells the BPF programs all this. struct dpt_config is set before they are loaded: the programs see it as
 * constants, so that the verifier removes what is not asked for.
 */
#pragma once

#include "event.h"

enum {
	DPT_MAX_ADDRESSES = 16,	 /* addresses of --pod-ip, and as many of --peer-ip */
	DPT_HOOK_FUNCTIONS = 16, /* netfilter hook functions that fentry programs can be put on */
	DPT_HOME_SETS = 8192,	 /* sets of devices of the home netns; the last bits of the ifindex choose the set */
	DPT_HOME_WAYS = 4,	 /* devices in one set */
	DPT_PROBED = 256,	 /* the most netfilter hook functions whose entry is told */
	DPT_XT_BLOCKS = 80, /* blocks of 256 rules of a table of iptables-legacy: larger tables are not looked at */
	/* A packet that was at a netfilter hook while the probes of hook functions were being attached has left it
	 * after so long.
	 */
	DPT_ENTRIES_SETTLE_NS = 10000000,
};

/* enum dpt_home_flag describes a device of the home netns. */
enum dpt_home_flag {
	DPT_HOME_COVERED = 1, /* tc programs tell the device's crossings: tracepoint hops are superfluous */
	DPT_HOME_UPLINK = 2,  /* packets of the node's own address arrive at the device */
};

/* User space fills the ways of a set in order and leaves no gap: the first way with ifindex 0 is the end. */
struct dpt_home_device {
	__u32 ifindex;
	__u32 flags; /* enum dpt_home_flag */
} __attribute__((aligned(8)));

struct dpt_home_set {
	struct dpt_home_device ways[DPT_HOME_WAYS];
};

/* Marks tell which skbs may carry a packet of ours: see bpf/lib/marks.bpf.h. */
enum {
	DPT_MARKS = 65536,
	DPT_MARK_FRESH = 0x20000, /* user space makes the mark old after a period, and removes it after another */
	DPT_MARK_OLD = 0x10000,
	DPT_MARK_AGE = DPT_MARK_FRESH | DPT_MARK_OLD,
	DPT_MARK_MANY = 0x40000, /* the mark is of several addresses; else the last 16 bits tell the one */
};

/* These marks tell what NAT has made of packets of ours: see bpf/lib/translated.bpf.h. */
enum {
	DPT_TRANSLATED_MARKS = 16384,
	DPT_MARK_NEW = 2, /* user space makes the mark 1 after a period, and 0 after another */
};

/* User space tells the UDP ports that the node's tunnel devices have, while the programs run. */
enum {
	DPT_UDP_PORTS = 65536,
	DPT_PORT_VXLAN = 1,
	DPT_PORT_GENEVE = 2,
};

struct dpt_config {
	struct dpt_address pod[DPT_MAX_ADDRESSES];
	struct dpt_address peer[DPT_MAX_ADDRESSES];
	__u32 pod_count;
	__u32 peer_count;
	__u32 home_netns; /* inode number of the netns where the tc programs are */
	__u16 port;	  /* host byte order, 0: any */
	__u16 protocol;
	__u8 any_protocol;
	__u8 reads_directly;	   /* tracing programs may read through untrusted pointers (6.17) */
	__u8 has_drop_reason;	   /* tracepoint kfree_skb has its third argument (5.17) */
	__u8 casts;		   /* tracing programs may read any memory as a struct (6.2) */
	__u8 sees_devices;	   /* packets of ours are marked when a device receives or sends them */
	__u8 has_consume_location; /* tracepoint consume_skb has its second argument (6.3 to 6.5) */
	__u8 one_processor;	   /* the kernel is made for, or was started for, one processor */
	__u8 reserved;
};
