// NftKernel is what the programs of the nftables family need to know of nf_tables in this kernel.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "dptrace/nft_layout.h"
#include "names/symbols.hpp"
#include "node/kernel_btf.hpp"

namespace dptrace {

struct NftKernel {
  /// Where the module keeps what names a rule; nothing while it is not loaded.
  std::optional<dpt_nft_layout> layout;
  /// The probed functions whose arguments BTF tells: fentry and fexit programs can be put on them.
  std::set<std::string, std::less<>> typed;
  /// The probed functions that the kernel has now.
  std::set<std::string, std::less<>> functions;
  bool has_loops = false;  ///< programs may call bpf_loop (5.17)

  /// Notes which functions there are now.
  void find_functions(const Symbols& symbols);

  static NftKernel ask(const KernelBtf& btf, const Symbols& symbols);
};

}  // namespace dptrace
