/* The drop-watch remembers ends of TCP connections here, to tell losses from packets that nobody waits for. */
#pragma once

#include "kernel.bpf.h"
#include "packet.bpf.h"

/* struct dpt_connection is one end of a TCP connection. Its ports are in host byte order. */
struct dpt_connection {
	struct dpt_address local;
	struct dpt_address remote;
	__u32 netns;
	__u16 local_port;
	__u16 remote_port;
};

/* watch_closed has the ends that have closed, and when (CLOCK_MONOTONIC, ns): a packet that was under way to such an
 * end is not lost when it finds no socket.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct dpt_connection);
	__type(value, __u64);
} watch_closed __weak SEC(".maps");

#define OVER_FOR_NS (60 * 1000000000ULL)

/* watch_half_open has the ends that have answered a SYN again, and when: such an end takes each repetition of the SYN,
 * and frees it. Only kernels without reasons need the map; the others give the reason NO_SOCKET for a SYN that meets
 * nobody.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, struct dpt_connection);
	__type(value, __u64);
} watch_half_open __weak SEC(".maps");

#define HALF_OPEN_FOR_NS 1000000000ULL /* the kernel answers a repeated SYN, and frees it right after that */

static __always_inline void connection__of_receiver(struct dpt_connection *connection, __u32 netns,
						    const struct dpt_flow *flow)
{
	connection->local = flow->destination;
	connection->remote = flow->source;
	connection->netns = netns;
	connection->local_port = flow->l4.port.destination;
	connection->remote_port = flow->l4.port.source;
}

/* `sk` belongs to a socket or to a request for one. */
static __always_inline void connection__of_sock(struct dpt_connection *connection, const struct sock_common *sk)
{
	__builtin_memset(connection, 0, sizeof(*connection));
	connection->netns = BPF_CORE_READ(sk, skc_net.net, ns.inum);
	connection->local_port = BPF_CORE_READ(sk, skc_num);
	connection->remote_port = bpf_ntohs(BPF_CORE_READ(sk, skc_dport));
	if (BPF_CORE_READ(sk, skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&connection->local, sk, skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&connection->remote, sk, skc_v6_daddr);
	} else {
		address__of_ipv4(&connection->local, BPF_CORE_READ(sk, skc_rcv_saddr));
		address__of_ipv4(&connection->remote, BPF_CORE_READ(sk, skc_daddr));
	}
}

static __always_inline void connection__note(void *map, const struct dpt_connection *connection)
{
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(map, connection, &now, BPF_ANY);
}

static __always_inline bool connection__was_noted(void *map, const struct dpt_connection *connection, __u64 within_ns,
						  __u64 now)
{
	const __u64 *noted = bpf_map_lookup_elem(map, connection);

	return noted && now - *noted < within_ns;
}
