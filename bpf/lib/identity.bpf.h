/* Which packets are ours: by the filter on the outer or innermost header, and from then on by content, whatever NAT
 * makes of the addresses.
 */
#pragma once

#include "packet.bpf.h"

#define FOLLOW_NS 2000000000ULL /* a key is believed so long: ids wrap */
#define RENEW_NS 500000000ULL	/* a followed key is written again only after so long */

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 32768);
	__type(key, __u64);
	__type(value, __u64); /* time the key was seen with matching addresses */
} followed __weak SEC(".maps");

/* Not 0 once anything is followed: before that a packet whose addresses do not match is done. */
__u32 following __weak = 0;

static __always_inline void identity__follow(__u64 key, __u64 now)
{
	__u64 *since = bpf_map_lookup_elem(&followed, &key);

	if (since && now - *since < RENEW_NS)
		return;
	bpf_map_update_elem(&followed, &key, &now, BPF_ANY);
	if (!following)
		following = 1;
}

static __always_inline bool identity__is_followed(__u64 key, __u64 now)
{
	__u64 *since = bpf_map_lookup_elem(&followed, &key);

	return since && now - *since < FOLLOW_NS;
}

/* Reads the headers. False: not IP, or not ours; the packet costs nothing more. */
static __always_inline bool identity__is_ours(const struct dpt_bytes *bytes, struct dpt_packet *packet, __u64 *key,
					      __u64 *now)
{
	__u32 matches = 0;

	if (!packet__read(bytes, packet, &matches))
		return false;
	if (!matches && !following)
		return false;
	*key = packet__key(bytes, packet);
	*now = bpf_ktime_get_ns();
	if (matches)
		identity__follow(*key, *now);
	else if (!identity__is_followed(*key, *now))
		return false;
	return true;
}
