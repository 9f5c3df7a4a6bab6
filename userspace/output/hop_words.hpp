// One hop in words: where it was, and what happened there.
#pragma once

#include <optional>
#include <span>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "output/style.hpp"

namespace dptrace {

/// `veth4722669f (pod default/web)`, `cni0 (bridge)`, `eth0 (uplink) in netns n2`, `eth0 in pod
/// default/web`.
void append_interface(Buffer& out, InterfaceId id, const Names& names);

/// `received`, `sent`, `netfilter FORWARD ipv4 accept`; for a value this version does not know
/// `point 77`. Several hops are hooks that one line tells: `netfilter PREROUTING, FORWARD ipv4
/// accept`.
void append_event(Buffer& out, std::span<const Hop> hops, const Names& names, const Paint& paint);

/// `netfilter FORWARD ipv4`.
void append_hook(Buffer& out, const NetfilterVerdict& netfilter);

/// How many hops from the first on one line can tell: hooks of one device and family that let the
/// packet pass unchanged; else 1.
std::size_t hops_in_line(std::span<const Hop> hops);

bool same_tunnel(const std::optional<dpt_tunnel>& a, const std::optional<dpt_tunnel>& b);

}  // namespace dptrace
