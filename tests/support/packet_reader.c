#include "packet_reader.h"

#include "bpf_host.h"
#include "lib/common.bpf.h"
#include "lib/glance.bpf.h"
#include "lib/marks.bpf.h"
#include "lib/recent.bpf.h"
#include "lib/walk.bpf.h"

static bool read_with(enum read_way way, const struct dpt_bytes* bytes, struct dpt_seen* seen,
                      __u32* matches) {
  struct dpt_walk walk;

  if (way == READ_WINDOW || way == READ_WINDOW_BY_PROBE)
    return common__look(bytes, seen, true, matches) == LOOK_SEEN;
  if (!walk__headers(bytes, &walk, matches)) return false;
  walk__fill(bytes, &walk, seen);
  return true;
}

bool read_packet_from(enum read_way way, const unsigned char* start, size_t linear, __u16 protocol,
                      struct read_packet* packet) {
  struct dpt_bytes bytes = {.start = start, .available = linear, .protocol = protocol};
  struct dpt_seen seen = {};
  struct __sk_buff ctx = {};
  __u32 matches = 0;

  host_packet = (struct host_packet){.bytes = start, .size = linear};
  if (way == READ_WALK_OF_CONTEXT) bytes.ctx = &ctx;
  if (!read_with(way, &bytes, &seen, &matches)) return false;
  *packet = (struct read_packet){
      .flow = seen.flow,
      .tunnel = seen.tunnel,
      .key = seen.key,
      .datagram = seen.datagram,
      .matches = matches,
  };
  return true;
}

/* Of the kernel's own functions the one that is called. */
void* bpf_rdonly_cast(const void* at, __u32 type) { return (void*)at; }

bool glance_dismisses(const unsigned char* start, size_t linear, __u16 protocol, bool translated) {
  const struct dpt_bytes bytes = {.start = start, .available = linear, .protocol = protocol};

  return glance__dismisses(&bytes, translated);
}

void note_translated(const struct dpt_flow* flow) {
  struct dpt_tuple ends;

  tuple__of(&ends, flow);
  *translated__mark(tuple__hash(&ends, flow->protocol)) = DPT_MARK_NEW;
}
__u8* marks_of_translated(void) { return translated_marks; }

__u32* marks_of_skbs(void) { return marks; }
void mark_skb(__u64 skb, __u64 head) { marks__add(skb, head); }
bool is_marked(__u64 skb, __u64 head) { return marks__has(skb, head); }
void unmark(__u64 address) { marks__remove_one(address); }

__u64 recent_after(__u64 now, __u64 age) { return recent__after(now, age); }
