#include "verdict/rule_hook.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter_bridge.h>

#include <algorithm>
#include <array>
#include <utility>

#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

struct Caller {
  std::string_view function;
  std::uint8_t hook;
};

// The names are those of 6.9 to 7.2: before, rules do not free packets themselves.
constexpr std::array kCallers = {
    Caller{"ip_rcv", NF_INET_PRE_ROUTING},
    Caller{"ipv6_rcv", NF_INET_PRE_ROUTING},
    Caller{"ip_sublist_rcv", NF_INET_PRE_ROUTING},
    Caller{"ip6_sublist_rcv", NF_INET_PRE_ROUTING},
    Caller{"br_nf_pre_routing", NF_INET_PRE_ROUTING},
    Caller{"br_nf_pre_routing_ipv6", NF_INET_PRE_ROUTING},
    Caller{"ip_local_deliver", NF_INET_LOCAL_IN},
    Caller{"ip6_input", NF_INET_LOCAL_IN},
    Caller{"ip_forward", NF_INET_FORWARD},
    Caller{"ip6_forward", NF_INET_FORWARD},
    Caller{"br_nf_forward_ip", NF_INET_FORWARD},
    Caller{"br_nf_forward", NF_INET_FORWARD},
    Caller{"__ip_local_out", NF_INET_LOCAL_OUT},
    Caller{"__ip6_local_out", NF_INET_LOCAL_OUT},
    Caller{"ip6_xmit", NF_INET_LOCAL_OUT},
    Caller{"ndisc_send_skb", NF_INET_LOCAL_OUT},
    Caller{"raw_send_hdrinc", NF_INET_LOCAL_OUT},
    Caller{"rawv6_send_hdrinc", NF_INET_LOCAL_OUT},
    Caller{"ip_output", NF_INET_POST_ROUTING},
    Caller{"ip_mc_output", NF_INET_POST_ROUTING},
    Caller{"ip6_output", NF_INET_POST_ROUTING},
    Caller{"br_nf_post_routing", NF_INET_POST_ROUTING},
};

// Of the bridge's own hooks.
constexpr std::array kBridgeCallers = {
    Caller{"br_handle_frame", NF_BR_PRE_ROUTING},
    Caller{"br_pass_frame_up", NF_BR_LOCAL_IN},
    Caller{"__br_forward", NF_BR_FORWARD},
    Caller{"br_forward_finish", NF_BR_POST_ROUTING},
};

bool runs_hooks(std::string_view function) {
  return function == "nf_hook_slow" || function == "nf_hook_slow_list";
}

template <std::size_t Size>
std::optional<std::uint8_t> hook_of(const std::array<Caller, Size>& callers,
                                    std::string_view function) {
  const auto caller = std::ranges::find(callers, function, &Caller::function);
  return caller == callers.end() ? std::nullopt : std::optional(caller->hook);
}

}  // namespace

std::optional<RuleHook> rule_hook_of(const Drop& drop, const Names& names) {
  const auto stack = dropping_stack(drop, names);
  const auto name = [&](std::size_t frame) {
    return std::string(source_name(names.function(stack[frame])));
  };
  for (std::size_t frame = 0; frame + 2 < stack.size(); ++frame) {
    if (!name(frame).starts_with("nft_do_chain_")) continue;
    if (!runs_hooks(name(frame + 1))) continue;
    auto function = name(frame);
    const auto hook = function == "nft_do_chain_bridge" ? hook_of(kBridgeCallers, name(frame + 2))
                                                        : hook_of(kCallers, name(frame + 2));
    return hook ? std::optional(RuleHook{std::move(function), *hook}) : std::nullopt;
  }
  return {};
}

}  // namespace dptrace
