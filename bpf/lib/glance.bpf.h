/* A glance reads the addresses alone, and dismisses nearly all packets of others by them. It uses plain loads, where
 * the kernel lets a program read a number as a pointer to a struct (6.2 and later).
 */
#pragma once

#include "translated.bpf.h"

extern void *bpf_rdonly_cast(const void *at, __u32 type) __ksym __weak;

/* struct iphdr and struct udphdr have the kernel's own names, by which bpf_rdonly_cast finds their types; their layout
 * is that of the wire.
 */
struct iphdr {
	__u8 version_ihl;
	__u8 tos;
	__be16 tot_len;
	__be16 id;
	__be16 frag_off;
	__u8 ttl;
	__u8 protocol;
	__sum16 check;
	__be32 saddr;
	__be32 daddr;
};

struct udphdr {
	__be16 source;
	__be16 dest;
	__be16 len;
	__sum16 check;
};

enum { VXLAN_PACKET_OFFSET = 20 + 8 + 8 + 14 }; /* behind IPv4, UDP, VXLAN and Ethernet */

/* Hashes an end as tuple__of does. */
static __always_inline __u64 glance__end(__be32 address, __u32 port)
{
	const __u32 words[4] = {0, 0, MAPPED_PREFIX, address};

	return tuple__end((const __u8 *)words, port);
}

/* An echo has an id instead of ports. Any other ICMP packet gets true, because it may be an error about a packet of
 * ours, and is looked at closer.
 */
static __always_inline bool glance__may_be_translated(const struct iphdr *ip, const struct udphdr *l4)
{
	__u32 source = bpf_ntohs(l4->source), destination = bpf_ntohs(l4->dest);
	struct dpt_tuple ends;

	if (ip->protocol == IPPROTO_ICMP) {
		if (!icmp__is_echo(IPPROTO_ICMP, source >> 8))
			return true;
		source = destination = bpf_ntohs(l4->len);
	}
	ends.source = glance__end(ip->saddr, source);
	ends.destination = glance__end(ip->daddr, destination);
	return *translated__mark(tuple__hash(&ends, ip->protocol));
}

/* Returns true when the packet is surely none of ours. That is not known of what stands behind options, in fragments or
 * in other tunnels than VXLAN. `translated`: what NAT has made of packets of ours counts as ours, too. *is_tunnelled is
 * set when the packet carries another one in VXLAN, which has to be looked at as well.
 */
static __always_inline bool glance__is_foreign(const unsigned char *start, bool translated, bool *is_tunnelled)
{
	const struct iphdr *ip = bpf_rdonly_cast(start, bpf_core_type_id_kernel(struct iphdr));
	const struct udphdr *udp;
	__u16 port;

	if (ip->version_ihl != 0x45 || ip->frag_off & ~bpf_htons(IP_DF) || filter__matches_ipv4(ip->saddr, ip->daddr))
		return false;
	if (ip->protocol != IPPROTO_UDP && ip->protocol != IPPROTO_TCP && ip->protocol != IPPROTO_ICMP)
		return false;
	udp = bpf_rdonly_cast(start + sizeof(struct iphdr), bpf_core_type_id_kernel(struct udphdr));
	if (translated && glance__may_be_translated(ip, udp))
		return false;
	if (ip->protocol != IPPROTO_UDP)
		return true;
	port = bpf_ntohs(udp->dest);
	if (is_geneve_port(port))
		return false;
	*is_tunnelled = is_vxlan_port(port);
	return true;
}

static __always_inline bool glance__dismisses(const struct dpt_bytes *bytes, bool translated)
{
	bool is_tunnelled = false, is_more = false;

	if (!config.casts || bytes->protocol != ETH_P_IP ||
	    bytes->available < sizeof(struct iphdr) + sizeof(struct udphdr) ||
	    !glance__is_foreign(bytes->start, translated, &is_tunnelled))
		return false;
	if (!is_tunnelled)
		return true;
	return bytes->available >= VXLAN_PACKET_OFFSET + sizeof(struct iphdr) + sizeof(struct udphdr) &&
	       glance__is_foreign(bytes->start + VXLAN_PACKET_OFFSET, translated, &is_more) && !is_more;
}
