/* The kind of a freed packet: what the drop-watch counts by. Most packets pay one look at their header. */
#pragma once

#include "place.bpf.h"
#include "dptrace/watch.h"

/* Read whole: an IPv4 header without options and what follows it of layer 4. */
struct kind_header {
	struct ipv4_header ip;
	__u8 l4[8];
};

struct kind_ends {
	struct dpt_address source;
	struct dpt_address destination;
};

/* As far as the filter, sk_buff's pkt_type is a matter of the drop-watch alone. */
struct sk_buff___kind {
	__u8 pkt_type : 3;
} __attribute__((preserve_access_index));

struct dst_ops___kind {
	unsigned short family;
} __attribute__((preserve_access_index));

struct dst_entry___kind {
	struct dst_ops___kind *ops;
} __attribute__((preserve_access_index));

enum {
	AF_INET = 2,
	AF_INET6 = 10,
};

enum {
	PACKET_BROADCAST = 1,
	PACKET_MULTICAST = 2,
	PACKET_OTHERHOST = 3,
};

/* Network namespaces are numbered from here on; the initial one has a number just below 0xf0000000 since 6.18. */
#define FIRST_NETNS 0xeffffff0U

/* Addresses of pods, by which drops are told apart. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, DPT_WATCH_PODS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct dpt_address);
	__type(value, __u8);
} watch_pods __weak SEC(".maps");

/* Not 0 once there are any. Written by user space. */
__u32 watch_has_pods __weak = 0;

static __always_inline bool kind__is_filtered(void)
{
	return config.pod_count || config.peer_count || config.port || !config.any_protocol;
}

static __always_inline bool kind__is_tunnel(const struct kind_header *header)
{
	__u16 port = load_u16(header->l4 + 2);

	switch (header->ip.protocol) {
	case IPPROTO_UDP:
		return is_vxlan_port(port) || (config.geneve_port && port == config.geneve_port);
	case IPPROTO_GRE:
	case IPPROTO_IPIP:
	case IPPROTO_IPV6:
		return true;
	}
	return false;
}

static __always_inline bool kind__matches(const struct kind_header *header)
{
	const __u8 *l4 = header->l4;

	if (!kind__is_filtered())
		return true;
	if (!filter__matches_ipv4(header->ip.source, header->ip.destination) ||
	    !filter__matches_protocol(header->ip.protocol))
		return false;
	if (!config.port)
		return true;
	return !(header->ip.fragment & bpf_htons(IP_OFFSET_MASK)) &&
	       (load_u16(l4) == config.port || load_u16(l4 + 2) == config.port);
}

/* Without reasons, what TIME_WAIT answers cannot be told from what no socket takes but by this. */
static __always_inline void kind__add_tcp(struct dpt_kind_key *kind, const struct dpt_bytes *bytes, __u32 l4_offset)
{
	__u8 flags = 0;

	if (config.has_drop_reason || kind->of.ip.protocol != IPPROTO_TCP)
		return;
	bytes__read(bytes, l4_offset + 13, &flags, sizeof(flags));
	if (flags & 1)
		kind->flags |= DPT_KIND_TCP_FIN;
}

static __always_inline bool kind__is_multicast(const struct dpt_address *destination, bool is_ipv6)
{
	__u8 first = is_ipv6 ? destination->bytes[0] : destination->bytes[12];

	return is_ipv6 ? first == 0xff : first >> 4 == 0xe || first == 0xff;
}

static __always_inline void kind__add_ends(struct dpt_kind_key *kind, const struct kind_ends *ends, bool is_ipv6)
{
	if (kind__is_multicast(&ends->destination, is_ipv6))
		kind->flags |= DPT_KIND_MULTICAST;
	if (!watch_has_pods)
		return;
	if (bpf_map_lookup_elem(&watch_pods, &ends->source))
		kind->pod = ends->source;
	else if (bpf_map_lookup_elem(&watch_pods, &ends->destination))
		kind->pod = ends->destination;
}

/* The common case: IPv4 without options, not a tunnel's. 1: told, 0: not asked for, -1: to be read at length. */
static __always_inline int kind__add_plain_ipv4(struct dpt_kind_key *kind, const struct dpt_bytes *bytes)
{
	struct kind_header header;
	struct kind_ends ends = {};

	if (bytes->protocol != ETH_P_IP || !bytes__read(bytes, 0, &header, sizeof(header)) ||
	    header.ip.version_ihl != 0x45 || kind__is_tunnel(&header))
		return -1;
	if (!kind__matches(&header))
		return 0;
	kind->family = 4;
	kind->of.ip.protocol = header.ip.protocol;
	if (header.ip.protocol == IPPROTO_ICMP && !(header.ip.fragment & bpf_htons(IP_OFFSET_MASK)))
		kind->of.ip.icmp_type = header.l4[0];
	if (!(header.ip.fragment & bpf_htons(IP_OFFSET_MASK)))
		kind__add_tcp(kind, bytes, sizeof(header.ip));
	ends.source.bytes[10] = ends.source.bytes[11] = 0xff;
	ends.destination.bytes[10] = ends.destination.bytes[11] = 0xff;
	__builtin_memcpy(ends.source.bytes + 12, header.ip.source, 4);
	__builtin_memcpy(ends.destination.bytes + 12, header.ip.destination, 4);
	kind__add_ends(kind, &ends, false);
	return 1;
}

/* Everything else. False: not asked for. */
static __always_inline bool kind__add_packet(struct dpt_kind_key *kind, const struct dpt_bytes *bytes)
{
	struct kind_ends ends = {};
	struct dpt_packet packet;
	__u32 matches = 0;
	__u8 type = 0;

	if (!packet__read(bytes, &packet, &matches)) {
		kind->of.ethertype = bpf_htons(bytes->protocol);
		return !kind__is_filtered();
	}
	if (!matches)
		return false;
	kind->family = packet.inner.is_ipv6 ? 6 : 4;
	kind->of.ip.protocol = packet.inner.protocol;
	if ((packet.inner.protocol == IPPROTO_ICMP || packet.inner.protocol == IPPROTO_ICMPV6) &&
	    !header__is_later_fragment(&packet.inner))
		bytes__read(bytes, packet.inner.l4_offset, &type, sizeof(type));
	kind->of.ip.icmp_type = type;
	if (!header__is_later_fragment(&packet.inner))
		kind__add_tcp(kind, bytes, packet.inner.l4_offset);
	packet__addresses(bytes, &packet.inner, &ends.source, &ends.destination);
	kind__add_ends(kind, &ends, packet.inner.is_ipv6);
	return true;
}

/* The skb's device, or while it has none that of its route. What a socket queues keeps other things where the device
 * was: a number that cannot be a netns' tells.
 */
static __always_inline void kind__add_place(struct dpt_kind_key *kind, struct sk_buff *skb)
{
	struct net_device *dev = skb->dev;
	__u32 netns, ifindex;

	if (dev) {
		ifindex = dev->ifindex;
		netns = dev->nd_net.net->ns.inum;
	} else {
		struct dst_entry *dst = skb__dst(skb);

		if (!dst)
			return;
		dev = BPF_CORE_READ(dst, dev);
		ifindex = BPF_CORE_READ(dev, ifindex);
		netns = BPF_CORE_READ(dev, nd_net.net, ns.inum);
	}
	if (netns < FIRST_NETNS)
		return;
	kind->netns = netns;
	kind->ifindex = ifindex;
}

/* What raw sockets send has no protocol before it leaves the IP layer; its route tells (before 6.0). */
static __always_inline void kind__find_protocol(struct dpt_bytes *bytes, struct sk_buff *skb)
{
	struct dst_entry___kind *dst = (struct dst_entry___kind *)skb__dst(skb);
	__u16 family;

	if (!dst)
		return;
	family = BPF_CORE_READ(dst, ops, family);
	if (family == AF_INET)
		bytes->protocol = ETH_P_IP;
	else if (family == AF_INET6)
		bytes->protocol = ETH_P_IPV6;
}

/* False: not asked for. *kind is zero but for reason and location. */
static __always_inline bool kind__of_skb(struct dpt_kind_key *kind, struct sk_buff *skb, struct dpt_bytes *bytes)
{
	__u8 type = BPF_CORE_READ_BITFIELD((struct sk_buff___kind *)skb, pkt_type);
	int plain;

	if (!bytes->protocol)
		kind__find_protocol(bytes, skb);
	plain = kind__add_plain_ipv4(kind, bytes);
	if (!plain || (plain < 0 && !kind__add_packet(kind, bytes)))
		return false;
	if (type == PACKET_BROADCAST || type == PACKET_MULTICAST)
		kind->flags |= DPT_KIND_MULTICAST;
	else if (type == PACKET_OTHERHOST)
		kind->flags |= DPT_KIND_OTHER_HOST;
	kind__add_place(kind, skb);
	return true;
}
