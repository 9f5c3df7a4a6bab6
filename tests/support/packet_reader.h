/* bpf/lib's ways of reading a packet, as compiled for this machine. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "dptrace/config.h"

#ifdef __cplusplus
extern "C" {
#endif

enum read_way {
  READ_WINDOW,          /* common.bpf.h, by typed loads */
  READ_WINDOW_BY_PROBE, /* common.bpf.h, before 6.17 */
  READ_WALK,            /* walk.bpf.h, in tracing programs */
  READ_WALK_OF_CONTEXT, /* walk.bpf.h, in network programs */
};

struct read_packet {
  struct dpt_flow flow;
  struct dpt_tunnel tunnel;
  __u64 key;
  __u64 datagram;
  bool matches;
};

/* What the BPF side takes for constants: any packet matches, VXLAN at 4789 and 8472, Geneve at
 * 6081. */
struct dpt_config* packet_settings(void);

/* `linear` bytes of the packet are readable from its network header on, which is `protocol`
 * (ETH_P_*). False: this way reads no such packet.
 */
bool read_packet_from(enum read_way way, const unsigned char* bytes, size_t linear, __u16 protocol,
                      struct read_packet* packet);

/* glance.bpf.h, where the kernel allows it: the packet is surely none that was asked for, nor, if
 * that is asked, one with the ends that NAT gave to a packet of ours.
 */
bool glance_dismisses(const unsigned char* bytes, size_t linear, __u16 protocol, bool translated);

/* translated.bpf.h: DPT_TRANSLATED_MARKS of them. */
void note_translated(const struct dpt_flow* flow);
__u8* marks_of_translated(void);

/* marks.bpf.h: DPT_MARKS of them. */
__u32* marks_of_skbs(void);
void mark_skb(__u64 skb, __u64 head);
bool is_marked(__u64 skb, __u64 head);
void unmark(__u64 address);

/* recent.bpf.h: what is younger than `age` was remembered after this time. */
__u64 recent_after(__u64 now, __u64 age);

#ifdef __cplusplus
}
#endif
