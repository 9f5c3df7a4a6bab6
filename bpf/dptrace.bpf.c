/* All programs are one object, because bpftool (7.1) cannot link objects that call the kernel's own functions (kfunc).
 */
#include "families/tc.bpf.c"
#include "families/device.bpf.c"
#include "families/kfree_skb.bpf.c"
#include "families/lifetime.bpf.c"
#include "families/netfilter.bpf.c"
#include "families/nftables.bpf.c"
#include "families/xfrm.bpf.c"
#include "families/xtables.bpf.c"
#include "drops.bpf.c"
