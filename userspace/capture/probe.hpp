// ProbeState says what a probe is for, and whether this kernel and this user have it.
#pragma once

#include <string>
#include <vector>

namespace dptrace {

struct ProbeState {
  std::string name;       ///< `tcx`, `kfree_skb`, `nf_hook_slow`, ...
  std::string mechanism;  ///< `tp_btf`, `tcx`, `clsact`, `fexit`, `kprobe`, `cgroup`
  bool attached = false;
  std::string facts;  ///< what the probe tells, for people
  std::string why;    ///< when the probe is missing: the reason and the remedy
  /// The probe is missing because another one is, which tells the reason.
  bool follows = false;
};

using ProbeStates = std::vector<ProbeState>;

}  // namespace dptrace
