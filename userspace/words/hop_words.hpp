// These functions put one hop into words: where it was, and what happened there.
#pragma once

#include <optional>
#include <span>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// A view says how an interface is told: `veth4722669f (pod default/web)`, `cni0 (bridge)`, `eth0
/// (uplink) in netns n2`, `eth0 in pod default/web`. Where several nodes are in view, the home
/// netns is named as the others are: `cni0 (bridge) in netns worker-n1`, `cni0 (bridge) on this
/// node`.
struct View {
  std::uint64_t at_ns = kLatest;  ///< CLOCK_MONOTONIC; the names are those of this time
  bool several_nodes = false;
  bool roles = true;  ///< false: `cni0`, `eth0 in netns n2`
};

/// The view at a time of the packet's way.
View view_of(const Packet& packet, std::uint64_t at_ns, const Names& names);

void append_interface(Buffer& out, InterfaceId id, const Names& names, const View& view);

/// `received`, `sent`, `netfilter FORWARD ipv4 accept`; `point 77` for a value that this version
/// does not know. Several hops are hooks that one line tells: `netfilter PREROUTING, FORWARD ipv4
/// accept`.
void append_event(Buffer& out, std::span<const Hop> hops, const Names& names, const Paint& paint);

/// `netfilter FORWARD ipv4`.
void append_hook(Buffer& out, const NetfilterVerdict& netfilter);

/// The number of hops at the front that one line can tell: hooks of one device and family that let
/// the packet pass unchanged; otherwise 1.
std::size_t hops_in_line(std::span<const Hop> hops);

/// True when NAT has changed the tuple since the hop `before`. Without a hop before, there is no
/// change.
bool is_translated(const Hop& hop, const Hop* before);

bool same_tunnel(const std::optional<dpt_tunnel>& a, const std::optional<dpt_tunnel>& b);

}  // namespace dptrace
