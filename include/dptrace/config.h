/* What user space tells the BPF programs before they are loaded. They see it as constants, so that the verifier
 * removes what is not asked for. */
#pragma once

#include "event.h"

enum {
	DPT_MAX_ADDRESSES = 16, /* of --pod-ip, and of --peer-ip */
	DPT_MAX_VXLAN_PORTS = 4,
	DPT_HOOK_FUNCTIONS = 16, /* netfilter hook functions that fentry programs can be put on */
	DPT_MAX_IFINDEX = 65536, /* of the devices whose tracepoint hops a tc program makes superfluous */
};

struct dpt_config {
	struct dpt_address pod[DPT_MAX_ADDRESSES];
	struct dpt_address peer[DPT_MAX_ADDRESSES];
	__u32 pod_count;
	__u32 peer_count;
	__u32 home_netns; /* where the tc programs are */
	__u16 port;	  /* 0: any */
	__u16 protocol;
	__u16 vxlan_ports[DPT_MAX_VXLAN_PORTS]; /* 0: unused */
	__u16 geneve_port;
	__u8 any_protocol;
	__u8 reads_directly;  /* tracing programs may read through untrusted pointers (6.17) */
	__u8 has_drop_reason; /* tracepoint kfree_skb has its third argument (5.17) */
};
