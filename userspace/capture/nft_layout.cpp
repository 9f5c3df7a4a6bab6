#include "capture/nft_layout.hpp"

#include "capture/nft_functions.hpp"
#include "node/kernel_version.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kModule = "nf_tables";
constexpr std::string_view kEntry = "nft_do_chain";

struct Field {
  const char* structure;
  const char* member;
  __u32 dpt_nft_layout::*offset;
};

constexpr Field kFields[] = {
    {"nft_pktinfo", "state", &dpt_nft_layout::packet_state},
    {"nft_chain", "table", &dpt_nft_layout::chain_table},
    {"nft_chain", "handle", &dpt_nft_layout::chain_handle},
    {"nft_chain", "name", &dpt_nft_layout::chain_name},
    {"nft_table", "handle", &dpt_nft_layout::table_handle},
    {"nft_table", "family", &dpt_nft_layout::table_family},
    {"nft_table", "name", &dpt_nft_layout::table_name},
};

// Where the kernel counts the generations of rules: in struct net, or in what the module keeps for
// a netns.
void find_generation(dpt_nft_layout& layout, const KernelBtf& btf, const Symbols& symbols,
                     std::optional<std::uint32_t> in_module) {
  const auto nft = btf.member_offset("", "net", "nft");
  const auto seq = btf.member_offset("", "netns_nftables", "base_seq");
  if (nft && seq) {
    layout.net_seq = *nft + *seq;
  } else if (symbols.nf_tables_id() != 0) {
    layout.pernet_seq = in_module.value_or(0);
    layout.pernet_id = symbols.nf_tables_id();
  }
}

std::optional<dpt_nft_layout> of_btf(const KernelBtf& btf, const Symbols& symbols,
                                     std::string_view module) {
  dpt_nft_layout layout{};
  for (const auto& field : kFields) {
    const auto offset = btf.member_offset(module, field.structure, field.member);
    if (!offset) return {};
    layout.*field.offset = *offset;
  }
  const auto chain = btf.member_offset(module, "nft_base_chain", "chain");
  const auto policy = btf.member_offset(module, "nft_base_chain", "policy");
  if (!chain || !policy) return {};
  layout.policy_before = *chain - *policy;
  find_generation(layout, btf, symbols, btf.member_offset(module, "nftables_pernet", "base_seq"));
  return layout;
}

// 5.10 has no BTF of modules. These are the offsets of its last releases, on machines of 64 bits.
std::optional<dpt_nft_layout> of_5_10(const KernelBtf& btf, const Symbols& symbols) {
  constexpr std::uint32_t kBeforeChains = 16, kListsAndGenerator = 72, kSeqInPernet = 120;
  const auto version = parse_kernel_version(kernel_release());
  const auto chains = btf.struct_size("rhltable");
  if (version != KernelVersion{5, 10} || !chains || !symbols.address(kEntry)) return {};
  dpt_nft_layout layout{};
  layout.packet_state = 32;
  layout.chain_table = 64;
  layout.chain_handle = 72;
  layout.chain_name = 88;
  layout.policy_before = 16;
  layout.table_handle = kBeforeChains + *chains + kListsAndGenerator;
  layout.table_family = layout.table_handle + 12;
  layout.table_name = layout.table_handle + 16;
  find_generation(layout, btf, symbols, kSeqInPernet);
  return layout;
}

}  // namespace

void NftKernel::find_functions(const Symbols& symbols) {
  functions.clear();
  for (const auto& function : kNftFunctions) {
    if (symbols.address(function.name)) functions.emplace(function.name);
  }
}

NftKernel NftKernel::ask(const KernelBtf& btf, const Symbols& symbols) {
  NftKernel kernel;
  kernel.has_loops = btf.has_enumerator("bpf_func_id", "BPF_FUNC_loop");
  kernel.find_functions(symbols);
  for (const auto& function : kernel.functions) {
    if (btf.find_function(function)) kernel.typed.insert(function);
  }
  for (const auto module : {kModule, std::string_view()}) {
    if (!kernel.layout) kernel.layout = of_btf(btf, symbols, module);
  }
  if (!kernel.layout) kernel.layout = of_5_10(btf, symbols);
  return kernel;
}

}  // namespace dptrace
