#include "verdict/drop_stack.hpp"

#include <algorithm>
#include <array>
#include <iterator>

#include "verdict/hook_names.hpp"

namespace dptrace {

namespace {

using Frames = std::span<const std::uint64_t>;

// These are prefixes of the helpers that free packets for their caller.
constexpr std::array<std::string_view, 12> kFreeForOthers = {
    "kfree_skb",         "sk_skb_reason_drop", "__tcf_kfree_skb_list", "skb_queue_purge",
    "__skb_queue_purge", "skb_rbtree_purge",   "skb_errqueue_purge",   "__dev_kfree_skb_any",
    "dev_kfree_skb_any", "dev_kfree_skb_irq",  "__dev_kfree_skb_irq",  "rtnl_kfree_skbs"};

// These are prefixes of further helpers. The ones from `trace_event_raw_event_` on lead from the
// tracepoint to the tracer's program.
constexpr std::array<std::string_view, 8> kOthers = {
    "__kfree_skb",  "consume_skb", "skb_release_data", "trace_event_raw_event_", "__traceiter_",
    "__bpf_trace_", "bpf_",        "__bpf_prog_"};

// These are prefixes of the functions where an interrupt, a thread or an idle processor begins.
constexpr auto kBegins = std::to_array<std::string_view>(
    {// x86
     "asm_common_interrupt", "asm_sysvec_", "asm_spurious_interrupt", "asm_exc_nmi",
     "asm_xen_hvm_callback", "asm_xen_pv_evtchn", "fred_extint", "fred_sysvec_",
     // arm64
     "el0_irq", "el1_irq", "el0_interrupt", "el1_interrupt", "el0t_64_irq", "el1h_64_irq",
     // Softirqs run at the end of an interrupt, on an idle processor that another processor called,
     // and in threads of their own.
     "irq_exit_rcu", "__irq_exit_rcu", "do_softirq_post_smp_call_flush", "flush_smp_call_function",
     "__flush_smp_call_function", "do_idle", "run_ksoftirqd", "run_ktimerd", "smpboot_thread_fn",
     "ret_from_fork"});

// These are whole names of such functions.
constexpr auto kAlsoBegin = std::to_array<std::string_view>({"irq_exit", "kthread"});

template <std::size_t Size>
bool begins_as_one_of(std::string_view function, const std::array<std::string_view, Size>& names) {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return function.starts_with(name); });
}

std::string_view name_of(std::uint64_t address, const Names& names) {
  const auto symbol = names.symbols.find(address);
  return symbol == names.symbols.end() ? std::string_view() : symbol->second.name;
}

Frames own_stack(const Drop& drop, const Names& names) {
  const auto begin = std::find_if(drop.stack.begin(), drop.stack.end(), [&](std::uint64_t address) {
    return begins_context(name_of(address, names));
  });
  return {drop.stack.begin(), begin};
}

// The stack from the first frame on that is not skipped; the search begins at the kernel's
// location.
template <typename Skipped>
Frames stack_behind(const Drop& drop, const Names& names, Skipped is_skipped) {
  const Frames own = own_stack(drop, names);
  // The frames before the kernel's location lie between the tracepoint and the tracer.
  auto begin = std::find(own.begin(), own.end(), drop.location);
  if (begin == own.end()) begin = own.begin();
  const auto dropper = std::find_if(begin, own.end(), [&](std::uint64_t address) {
    return !is_skipped(name_of(address, names));
  });
  return {dropper, own.end()};
}

}  // namespace

bool frees_for_others(std::string_view function) {
  return begins_as_one_of(function, kFreeForOthers);
}

bool is_freeing_helper(std::string_view function) {
  return frees_for_others(function) || begins_as_one_of(function, kOthers);
}

bool begins_context(std::string_view function) {
  const std::string_view name = source_name(function);
  return begins_as_one_of(name, kBegins) ||
         std::find(kAlsoBegin.begin(), kAlsoBegin.end(), name) != kAlsoBegin.end();
}

std::span<const std::uint64_t> dropping_stack(const Drop& drop, const Names& names) {
  return stack_behind(drop, names, is_freeing_helper);
}

std::uint64_t dropping_location(const Drop& drop, const Names& names) {
  if (!is_freeing_helper(name_of(drop.location, names))) return drop.location;
  const auto stack = dropping_stack(drop, names);
  return stack.empty() ? drop.location : stack.front();
}

std::uint64_t freeing_location(const Drop& drop, const Names& names) {
  if (!frees_for_others(name_of(drop.location, names))) return drop.location;
  // A stack that does not contain the location does not tell who called the helper.
  if (std::find(drop.stack.begin(), drop.stack.end(), drop.location) == drop.stack.end())
    return drop.location;
  const auto stack = stack_behind(drop, names, frees_for_others);
  return stack.empty() ? drop.location : stack.front();
}

std::uint64_t deciding_location(const Drop& drop, const Names& names) {
  const auto stack = stack_behind(drop, names, frees_for_others);
  const auto caller = std::find_if(stack.begin(), stack.end(), [&](std::uint64_t address) {
    return name_of(address, names) == "nf_hook_slow";
  });
  if (caller == stack.begin() || caller == stack.end()) return 0;
  const std::uint64_t called = *std::prev(caller);
  return is_hook_function(name_of(called, names)) ? called : 0;
}

std::string_view source_name(std::string_view function) {
  return function.substr(0, function.find('.'));
}

}  // namespace dptrace
