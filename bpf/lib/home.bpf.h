/* `home` has what user space knows of the devices of the home netns. */
#pragma once

#include "config.bpf.h"

/* User space writes the table while the programs run. */
struct dpt_home_set home[DPT_HOME_SETS] __weak = {};

/* Returns the enum dpt_home_flag bits of a device of the home netns. 0: user space knows no such device. */
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
