/* These structs have the fields of the kernel's structs that are read here; libbpf moves the offsets to those of the
 * running kernel.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	unsigned int inum;
};

struct netns_core {
	int sysctl_somaxconn;
};

struct net {
	struct ns_common ns;
	struct netns_core core;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	char name[16];
	int ifindex;
	unsigned int flags;
	unsigned int mtu;
	unsigned short type;
	possible_net_t nd_net;
	const struct rtnl_link_ops *rtnl_link_ops;
	void *rx_handler;
};

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
};

struct request_sock {
	struct sock_common __req_common;
};

struct skb_shared_info {
	unsigned short gso_size;
};

struct sk_buff {
	struct sock *sk;
	struct net_device *dev;
	int skb_iif;
	unsigned long _skb_refdst;
	unsigned int len;
	unsigned int data_len;
	__u32 mark;
	__be16 protocol;
	__u16 network_header;
	__u32 end;
	unsigned char *head;
	unsigned char *data;
};

struct dst_ops {
	unsigned short family;
};

struct dst_entry {
	struct net_device *dev;
	struct dst_ops *ops;
};

/* struct dst_entry is the first member of struct rtable and of struct rt6_info. */
struct rtable {
	unsigned int rt_flags;
};

struct rt6_info {
	__u32 rt6i_flags;
};

struct nf_hook_state {
	/* The field is a u8 since 6.1: libbpf makes the load as wide as the field. */
	unsigned int hook;
	__u8 pf;
	struct net_device *in;
	struct net_device *out;
	struct net *net;
};

struct nf_hook_entry {
	void *hook;
	void *priv;
};

struct nf_hook_entries {
	__u16 num_hook_entries;
	struct nf_hook_entry hooks[0];
};

#pragma clang attribute pop

enum {
	ETH_P_IP = 0x0800,
	ETH_P_IPV6 = 0x86dd,
	ETH_P_TEB = 0x6558,
	ETH_P_8021Q = 0x8100,
	ETH_P_8021AD = 0x88a8,
};

enum {
	TCP_LISTEN = 10,
};

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

/* The verifier allows no arithmetic on a typed pointer; half of a pointer is a number. */
static __always_inline __u64 address__low_half(__u64 address)
{
#ifdef __bpf__
	__u64 half;

	asm volatile("r0 = %1\n"
		     "w0 = w0\n"
		     "%0 = r0"
		     : "=r"(half)
		     : "r"(address)
		     : "r0");
	return half;
#else
	return (__u32)address;
#endif
}

static __always_inline __u32 address__hash(__u64 address)
{
	return (__u32)address__low_half(address) * 0x9e3779b1U;
}

#define SKB_DST_PTRMASK (~1UL)
#define RTCF_LOCAL 0x80000000u
#define RTF_LOCAL 0x80000000u
