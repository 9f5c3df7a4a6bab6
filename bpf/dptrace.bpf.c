/* All programs, as one object: bpftool (7.1) cannot link objects that call the kernel's own functions (kfunc). */
#include "tc.bpf.c"
#include "device.bpf.c"
#include "drop.bpf.c"
#include "lifetime.bpf.c"
#include "netfilter.bpf.c"
#include "xfrm.bpf.c"
#include "drops.bpf.c"
