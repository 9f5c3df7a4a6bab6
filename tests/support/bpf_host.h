/* Lets the BPF side's headers be compiled for this machine: its helpers as functions over memory.
 * Included before them.
 */
#pragma once

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static long host_read_kernel(void* to, __u32 size, const void* from) {
  memcpy(to, from, size);
  return 0;
}

/* A network program's packet: what bpf_skb_load_bytes reads from. */
struct host_packet {
  const unsigned char* bytes;
  __u32 size;
};

static struct host_packet host_packet;

static long host_load_bytes(const void* ctx, __u32 offset, void* to, __u32 size) {
  (void)ctx;
  if (offset > host_packet.size || size > host_packet.size - offset) return -1;
  memcpy(to, host_packet.bytes + offset, size);
  return 0;
}

#define bpf_probe_read_kernel host_read_kernel
#define bpf_skb_load_bytes host_load_bytes

#undef bpf_core_type_id_kernel
#define bpf_core_type_id_kernel(type) 0
#undef __ksym
#define __ksym

#undef SEC
#define SEC(name)
