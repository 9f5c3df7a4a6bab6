// The BPF object is opened here, told the settings, and loaded with the programs that this kernel
// can run.
#pragma once

#include <functional>
#include <vector>

#include "capture/hook_functions.hpp"
#include "capture/kernel_offers.hpp"
#include "capture/nft_layout.hpp"
#include "capture/refusal.hpp"
#include "capture/settings.hpp"
#include "capture/skeleton.hpp"
#include "capture/table_functions.hpp"
#include "model/result.hpp"

namespace dptrace {

/// NetworkPrograms has the form of each network program that the kernel's verifier takes; null: the
/// program is not loaded. The programs of tc are all there or none is, except that those for
/// devices without a link header may be missing alone.
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
  std::vector<HookFunction> by_kprobe;  ///< hook functions that the kprobe program probes
  NftKernel nft;
  std::vector<TableFunction> tables;  ///< for which programs are loaded
  Refusals refusals;                  ///< what is not loaded, by its program or hook function
};

/// Loads the object without the programs that this kernel does not take: each of these costs its
/// facts.
Result<LoadedObject> load_object(const CaptureSettings& settings, const KernelOffers& offers,
                                 const std::vector<HookFunction>& hooks, const NftKernel& nft);

/// Loads programs of the object once more, for what was not there when the first was loaded: the
/// functions of modules. Maps and settings are those of `first`, but for maps of xtables. `choose`
/// says which programs are loaded.
Result<Skeleton> load_beside(const dptrace_bpf& first,
                             const std::function<Result<>(dptrace_bpf&)>& choose);

/// Loads the object with the programs of the drop-watch alone.
Result<Skeleton> load_watch(const CaptureSettings& settings, const KernelOffers& offers);

}  // namespace dptrace
