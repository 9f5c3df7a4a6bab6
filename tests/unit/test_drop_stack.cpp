#include <catch2/catch.hpp>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "verdict/drop_stack.hpp"

using namespace dptrace;

namespace {

using Functions = std::vector<std::string>;

/// A packet that was freed under these functions, innermost first; the kernel's location is `at`.
struct Freeing {
  explicit Freeing(const Functions& functions, std::size_t at = 0) {
    for (std::size_t i = 0; i < functions.size(); ++i) {
      const std::uint64_t address = 0xffffffff81000010 + i * 0x1000;
      drop.stack.push_back(address);
      names.symbols[address] = {functions[i], address - 0x10};
    }
    drop.location = drop.stack.at(at);
  }

  Functions stack() const {
    Functions shown;
    for (const auto address : dropping_stack(drop, names)) shown.push_back(names.function(address));
    return shown;
  }

  Drop drop;
  Names names;
};

Functions joined(Functions head, const Functions& tail) {
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

struct Stack {
  std::string_view kernel;
  Functions own, others;
};

const Functions kReceived = {"ip_rcv_finish_core.constprop.0", "ip_rcv",
                             "__netif_receive_skb_one_core", "process_backlog"};

}  // namespace

TEST_CASE("a stack ends where an interrupt begins: the task behind it has nothing to do with it") {
  const auto stack = GENERATE(values<Stack>({
      {"5.10",
       {"net_rx_action", "__do_softirq", "asm_call_irq_on_stack", "do_softirq_own_stack"},
       {"irq_exit_rcu", "common_interrupt", "asm_common_interrupt", "copy_user_generic_string",
        "tcp_sendmsg_locked", "tcp_sendmsg"}},
      {"5.10, a timer",
       {"net_rx_action", "__do_softirq", "asm_call_sysvec_on_stack", "do_softirq_own_stack"},
       {"irq_exit_rcu", "sysvec_apic_timer_interrupt", "asm_sysvec_apic_timer_interrupt",
        "udp_sendmsg"}},
      {"6.1",
       {"__napi_poll", "net_rx_action", "__do_softirq"},
       {"__irq_exit_rcu", "common_interrupt", "asm_common_interrupt", "ext4_file_write_iter"}},
      {"6.12",
       {"__napi_poll", "net_rx_action", "handle_softirqs"},
       {"__irq_exit_rcu", "sysvec_apic_timer_interrupt", "asm_sysvec_apic_timer_interrupt",
        "pv_native_safe_halt", "default_idle"}},
      {"7.2",
       {"__napi_poll", "net_rx_action", "handle_softirqs"},
       {"__irq_exit_rcu", "irq_exit_rcu", "sysvec_call_function_single",
        "asm_sysvec_call_function_single", "__x64_sys_getpid"}},
      {"arm64",
       {"net_rx_action", "handle_softirqs", "__do_softirq", "call_on_irq_stack"},
       {"__irq_exit_rcu", "irq_exit_rcu", "el1_interrupt", "el1h_64_irq_handler", "vfs_read"}},
      {"arm64 5.10",
       {"net_rx_action", "__do_softirq"},
       {"irq_exit", "__handle_domain_irq", "gic_handle_irq", "el1_irq", "vfs_read"}},
      {"inside of the interrupt itself",
       {"hrtimer_interrupt", "sysvec_apic_timer_interrupt"},
       {"asm_sysvec_apic_timer_interrupt", "tcp_v4_rcv"}},
      {"an idle processor",
       {"net_rx_action", "handle_softirqs", "do_softirq.part.0"},
       {"do_softirq_post_smp_call_flush", "flush_smp_call_function_queue", "do_idle",
        "cpu_startup_entry"}},
      {"ksoftirqd",
       {"net_rx_action", "handle_softirqs"},
       {"run_ksoftirqd", "smpboot_thread_fn", "kthread", "ret_from_fork", "ret_from_fork_asm"}},
      {"a NAPI thread",
       {"__napi_poll", "napi_threaded_poll_loop", "napi_threaded_poll"},
       {"kthread", "ret_from_fork", "ret_from_fork_asm"}},
  }));
  CAPTURE(stack.kernel);
  const Functions own = joined(kReceived, stack.own);
  CHECK(Freeing(joined(own, stack.others)).stack() == own);
}

TEST_CASE("softirqs that a task runs itself are behind what it has sent: the stack stays whole") {
  const Functions behind = GENERATE(values<Functions>({
      {"net_rx_action", "__do_softirq", "asm_call_irq_on_stack", "do_softirq_own_stack",
       "do_softirq.part.0", "__local_bh_enable_ip", "ip_finish_output2", "udp_send_skb.isra.0",
       "__x64_sys_sendto", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"},
      {"net_rx_action", "__do_softirq", "do_softirq.part.0", "__local_bh_enable_ip",
       "__dev_queue_xmit", "ip_finish_output2", "ip_output"},
      {"net_rx_action", "handle_softirqs", "do_softirq.part.0", "__local_bh_enable_ip",
       "__dev_queue_xmit", "ip_finish_output2", "ip_output"},
      {"process_one_work", "worker_thread"},
      // They only begin like it.
      {"kthread_worker_fn", "irq_exit_of_another_kind"},
  }));
  const Functions whole = joined(kReceived, behind);
  CHECK(Freeing(whole).stack() == whole);
}

TEST_CASE("who dropped a packet is not looked for in the task that was interrupted") {
  const Freeing freeing({"kfree_skb_list_reason", "skb_queue_purge_reason", "__irq_exit_rcu",
                         "asm_common_interrupt", "tcp_v4_rcv"});
  CHECK(freeing.stack().empty());
  CHECK(dropping_location(freeing.drop, freeing.names) == freeing.drop.location);
  CHECK(freeing_location(freeing.drop, freeing.names) == freeing.drop.location);
}

TEST_CASE("the interrupt may be among the frames that were not named") {
  Freeing freeing(joined(kReceived, {"handle_softirqs", "__irq_exit_rcu", "tcp_sendmsg"}));
  freeing.names.symbols.clear();
  CHECK(dropping_stack(freeing.drop, freeing.names).size() == freeing.drop.stack.size());
}

TEST_CASE("a hook function that frees what it drops is called by nf_hook_slow") {
  const auto decider = [](const Functions& functions) {
    const Freeing freeing(joined(functions, {"ip_forward", "ip_rcv"}));
    return freeing.names.function(deciding_location(freeing.drop, freeing.names));
  };
  CHECK(decider({"nft_do_chain", "nft_do_chain_ipv4", "nf_hook_slow"}) == "nft_do_chain_ipv4");
  CHECK(decider({"kfree_skb_list_reason", "nft_do_chain", "nft_do_chain_inet", "nf_hook_slow"}) ==
        "nft_do_chain_inet");
  // Bridge netfilter runs the hooks of IP within its own.
  CHECK(decider({"nft_do_chain", "nft_do_chain_ipv4", "nf_hook_slow", "br_nf_forward_ip",
                 "nf_hook_slow"}) == "nft_do_chain_ipv4");
  // Not told: nf_hook_slow frees itself, a function that is none of the hooks' has taken the place
  // of one in the stack, no hook was run.
  CHECK(decider({"nf_hook_slow"}).empty());
  CHECK(decider({"kfree_skb_list_reason", "nf_hook_slow"}).empty());
  CHECK(decider({"nft_do_chain", "nf_hook_slow"}).empty());
  CHECK(decider({"nft_do_chain_ipv4"}).empty());
}
