// The BPF object: opened, told the settings, loaded with the programs that this kernel can run.
#pragma once

#include <vector>

#include "capture/hook_functions.hpp"
#include "capture/kernel_offers.hpp"
#include "capture/settings.hpp"
#include "capture/skeleton.hpp"
#include "model/result.hpp"
#include "node/kernel_btf.hpp"
#include "node/links.hpp"

namespace dptrace {

/// What the programs must know of the node.
struct NodeFacts {
  std::uint32_t home_netns = 0;
  std::vector<std::uint16_t> vxlan_ports;  ///< beside the usual ones
  std::uint16_t geneve_port = 0;           ///< 0: the usual one
};

NodeFacts node_facts(const std::vector<Link>& links);

/// The form of each that the kernel's verifier takes.
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
};

Result<LoadedObject> load_object(const CaptureSettings& settings, const NodeFacts& node,
                                 const KernelOffers& offers, const KernelBtf& btf,
                                 const std::vector<HookFunction>& functions);

/// With the drop-watch alone.
Result<Skeleton> load_watch(const CaptureSettings& settings, const NodeFacts& node,
                            const KernelOffers& offers);

}  // namespace dptrace
