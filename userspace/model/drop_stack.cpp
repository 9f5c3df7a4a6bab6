#include "model/drop_stack.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {

// Prefixes; the last ones are how the tracepoint reaches the tracer's program.
constexpr std::array<std::string_view, 17> kHelpers = {"kfree_skb",
                                                       "__kfree_skb",
                                                       "sk_skb_reason_drop",
                                                       "consume_skb",
                                                       "__tcf_kfree_skb_list",
                                                       "skb_queue_purge",
                                                       "__skb_queue_purge",
                                                       "__dev_kfree_skb_any",
                                                       "dev_kfree_skb_any",
                                                       "skb_release_data",
                                                       "dev_kfree_skb_irq",
                                                       "__dev_kfree_skb_irq",
                                                       "trace_event_raw_event_",
                                                       "__traceiter_",
                                                       "__bpf_trace_",
                                                       "bpf_",
                                                       "__bpf_prog_"};

std::string_view name_of(std::uint64_t address, const Names& names) {
  const auto symbol = names.symbols.find(address);
  return symbol == names.symbols.end() ? std::string_view() : symbol->second.name;
}

}  // namespace

bool is_freeing_helper(std::string_view function) {
  return std::any_of(kHelpers.begin(), kHelpers.end(),
                     [&](std::string_view helper) { return function.starts_with(helper); });
}

std::span<const std::uint64_t> dropping_stack(const Drop& drop, const Names& names) {
  // What stands before the kernel's location is how the tracepoint reached the tracer.
  auto begin = std::find(drop.stack.begin(), drop.stack.end(), drop.location);
  if (begin == drop.stack.end()) begin = drop.stack.begin();
  const auto dropper = std::find_if(begin, drop.stack.end(), [&](std::uint64_t address) {
    return !is_freeing_helper(name_of(address, names));
  });
  return {dropper, drop.stack.end()};
}

std::uint64_t dropping_location(const Drop& drop, const Names& names) {
  if (!is_freeing_helper(name_of(drop.location, names))) return drop.location;
  const auto stack = dropping_stack(drop, names);
  return stack.empty() ? drop.location : stack.front();
}

std::string_view source_name(std::string_view function) {
  return function.substr(0, function.find('.'));
}

}  // namespace dptrace
