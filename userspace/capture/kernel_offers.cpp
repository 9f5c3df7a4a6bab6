#include "capture/kernel_offers.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <array>
#include <cstring>

#include "capture/skeleton.hpp"

namespace dptrace {

namespace {

// Puts an empty program on a function that every kernel has: a policy may refuse it although BTF
// and ftrace are there. Returns why it could not be attached; empty: it could. `again` tells
// whether it could be attached a second time.
std::string ask_for_tracing(const KernelBtf& btf, bool& again) {
  const auto function = btf.function_id("nf_hook_slow");
  if (!function) return "nf_hook_slow is not in the kernel's BTF";
  const std::array<bpf_insn, 2> program = {{
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .src_reg = 0, .off = 0, .imm = 0},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
  }};
  LIBBPF_OPTS(bpf_prog_load_opts, options, .expected_attach_type = BPF_TRACE_FENTRY,
              .attach_btf_id = *function);
  const OwnedFd loaded(bpf_prog_load(BPF_PROG_TYPE_TRACING, "dptrace_ask", "GPL", program.data(),
                                     program.size(), &options));
  if (!loaded) return std::strerror(errno);
  OwnedFd attached(bpf_raw_tracepoint_open(nullptr, loaded.get()));
  if (!attached) return std::strerror(errno);
  attached = OwnedFd();
  attached = OwnedFd(bpf_raw_tracepoint_open(nullptr, loaded.get()));
  again = static_cast<bool>(attached);
  return {};
}

}  // namespace

KernelOffers KernelOffers::ask(const KernelBtf& btf) {
  KernelOffers offers;
  offers.drop_reasons = btf.tracepoint_arguments("kfree_skb") >= 3;
  offers.consume_locations = btf.tracepoint_arguments("consume_skb") >= 2;
  offers.tcx = btf.has_enumerator("bpf_attach_type", "BPF_TCX_INGRESS");
  // BPF_PROG_STREAM_READ_BY_FD (6.17) and BPF_TOKEN_CREATE (6.9) are of the same age as the
  // verifiers that are meant: to ask the verifiers themselves takes too long.
  offers.direct_reads = btf.has_enumerator("bpf_cmd", "BPF_PROG_STREAM_READ_BY_FD");
  offers.loops = btf.has_enumerator("bpf_func_id", "BPF_FUNC_loop");
  // This helper is as old as the other order of arguments.
  offers.table_is_last = !btf.has_enumerator("bpf_func_id", "BPF_FUNC_kallsyms_lookup_name");
  offers.ipv4_tables = btf.has_function("ipt_do_table");
  offers.ipv6_tables = btf.has_function("ip6t_do_table");
  offers.casts = btf.function_id("bpf_rdonly_cast").has_value();
  offers.large_network_programs = btf.has_enumerator("bpf_cmd", "BPF_TOKEN_CREATE");
  offers.tracing_refusal = ask_for_tracing(btf, offers.functions_again);
  offers.tracing_functions = offers.tracing_refusal.empty();
  offers.xfrm_output = btf.find_function("xfrm_output").has_value();
  offers.inet_rtx_syn_ack = btf.find_function("inet_rtx_syn_ack").has_value();
  offers.kprobes = access("/sys/bus/event_source/devices/kprobe/type", R_OK) == 0;
  return offers;
}

}  // namespace dptrace
