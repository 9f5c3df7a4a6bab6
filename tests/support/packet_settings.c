/* The strong definition of what bpf/lib/config.bpf.h declares weak and constant. */
#include "packet_reader.h"

struct dpt_config config = {.any_protocol = 1};

struct dpt_config* packet_settings(void) {
  return &config;
}
