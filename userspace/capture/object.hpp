// The BPF object: opened, told the settings, loaded with the programs that this kernel can run.
#pragma once

#include <vector>

#include "capture/hook_functions.hpp"
#include "capture/kernel_offers.hpp"
#include "capture/refusal.hpp"
#include "capture/settings.hpp"
#include "capture/skeleton.hpp"
#include "model/result.hpp"

namespace dptrace {

/// The form of each that the kernel's verifier takes. Those of tc are all there or none is, but for
/// those of devices without a link header.
struct NetworkPrograms {
  bpf_program* l2_in = nullptr;
  bpf_program* l2_out = nullptr;
  bpf_program* l3_in = nullptr;
  bpf_program* l3_out = nullptr;
  bpf_program* socket = nullptr;
};

struct LoadedObject {
  Skeleton skeleton;
  NetworkPrograms network;
  std::vector<HookFunction> by_fentry;  ///< hook functions whose entry a fentry program tells
  std::vector<HookFunction> by_kprobe;  ///< to be probed by the kprobe program
  Refusals refusals;                    ///< what is not loaded, by its program or hook function
};

/// Without the programs that this kernel does not take: each costs its facts.
Result<LoadedObject> load_object(const CaptureSettings& settings, const KernelOffers& offers,
                                 const Hooks& hooks);

/// With the drop-watch alone.
Result<Skeleton> load_watch(const CaptureSettings& settings, const KernelOffers& offers);

}  // namespace dptrace
