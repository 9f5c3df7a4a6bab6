/* What user space knows of the devices of the home netns. */
#pragma once

#include "config.bpf.h"

/* Written by user space. */
struct dpt_home_set home[DPT_HOME_SETS] __weak = {};

/* enum dpt_home_flag of a device of the home netns; 0: it is none that user space knows. */
static __always_inline __u32 home__flags(__u32 ifindex)
{
	const struct dpt_home_set *set = &home[ifindex & (DPT_HOME_SETS - 1)];

#pragma unroll
	for (int i = 0; i < DPT_HOME_WAYS; i++) {
		if (set->ways[i].ifindex == ifindex)
			return set->ways[i].flags;
		if (!set->ways[i].ifindex)
			break;
	}
	return 0;
}
