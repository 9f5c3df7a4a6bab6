#include "words/hop_words.hpp"

#include <cstring>

#include "words/netfilter_words.hpp"
#include "words/taken_words.hpp"

namespace dptrace {

namespace {

/// `pod default/web`, `netns n2`, `netns 4026532281`.
void append_netns(Buffer& out, std::uint32_t inode, const Names& names, std::uint64_t at_ns) {
  const Netns* netns = names.netns_at(inode, at_ns);
  if (netns != nullptr && !netns->pod.empty()) {
    append(out, "pod ");
    append_name(out, netns->pod);
  } else if (netns != nullptr && !netns->name.empty()) {
    append(out, "netns ");
    append_name(out, netns->name);
  } else {
    fmt::format_to(fmt::appender(out), "netns {}", inode);
  }
}

bool is_node(std::uint32_t inode, const Names& names, std::uint64_t at_ns) {
  const Netns* netns = names.netns_at(inode, at_ns);
  return netns != nullptr && netns->is_node;
}

// True for the node's own port on Open vSwitch, such as antrea-gw0, which is neither a bridge nor a
// pod's.
bool is_port_of_node(const Interface& interface) {
  return interface.role == Role::kOther && interface.kind == "openvswitch";
}

/// `peer` is the netns at the other end, 0 when that tells nothing.
void append_role(Buffer& out, const Interface& interface, std::uint32_t peer, const Names& names,
                 std::uint64_t at_ns) {
  const bool is_pair_with_node =
      interface.role == Role::kOther && peer != 0 && is_node(peer, names, at_ns);
  if (is_port_of_node(interface)) {
    append(out, " (port of Open vSwitch)");
    return;
  }
  if (interface.role == Role::kLoopback) return;
  if (interface.role == Role::kOther && !is_pair_with_node) return;
  append(out, " (");
  if (interface.role == Role::kPod && peer != 0) {
    if (names.pod_of_netns(peer, at_ns).empty()) append(out, "pod, ");
    append_netns(out, peer, names, at_ns);
  } else if (is_pair_with_node) {
    append(out, "to ");
    append_netns(out, peer, names, at_ns);
  } else {
    append(out, role_name(interface.role));
  }
  out.push_back(')');
}

void append_home(Buffer& out, const Names& names, std::uint64_t at_ns) {
  const Netns* home = names.netns_at(names.home_netns, at_ns);
  if (home == nullptr || (home->name.empty() && home->pod.empty())) {
    append(out, " on this node");
    return;
  }
  append(out, " in ");
  append_netns(out, names.home_netns, names, at_ns);
}

std::string_view point_words(std::uint8_t point) {
  switch (point) {
    case DPT_POINT_TC_INGRESS:
      return "received (tc)";
    case DPT_POINT_TC_EGRESS:
      return "sending (tc)";
    case DPT_POINT_DEVICE_RECEIVE:
      return "received";
    case DPT_POINT_DEVICE_TRANSMIT:
      return "sent";
    case DPT_POINT_ENCAPSULATE:
      return "handed to IPsec";
    case DPT_POINT_SOCKET:
      return "taken by a socket or protocol";
    case DPT_POINT_DROP:
      return "freed";
    default:
      return point_name(point);
  }
}

void append_hook_name(Buffer& out, const NetfilterVerdict& netfilter) {
  const std::string_view hook = netfilter_hook(netfilter.family, netfilter.hook);
  if (hook.empty()) {
    fmt::format_to(fmt::appender(out), "hook {}", netfilter.hook);
  } else {
    append(out, hook);
  }
}

void append_family(Buffer& out, std::uint8_t family) {
  const std::string_view name = netfilter_family(family);
  if (name.empty()) {
    fmt::format_to(fmt::appender(out), " family {}", family);
  } else {
    out.push_back(' ');
    append(out, name);
  }
}

void append_decision(Buffer& out, const Hop& hop, const Names& names, const Paint& paint) {
  const NetfilterVerdict& netfilter = *hop.netfilter;
  if (netfilter.result > 0) {
    append(out, netfilter_verdict(netfilter.result));
    return;
  }
  if (netfilter.result == 0) return append_taker(out, hop, names, paint);
  paint.text(out, Style::kBad, "drop");
  if (netfilter.function == 0) return;
  append(out, " by ");
  const std::string function = names.function(netfilter.function);
  append_name(out, function.empty() ? names.location(netfilter.function) : function);
}

bool is_plain_accept(const Hop& hop) {
  return hop.netfilter && hop.netfilter->result > 0 && !hop.new_flow;
}

bool same_crossing(const Hop& a, const Hop& b) {
  return a.interface == b.interface && a.netfilter->family == b.netfilter->family &&
         same_tunnel(a.tunnel, b.tunnel);
}

}  // namespace

View view_of(const Packet& packet, std::uint64_t at_ns, const Names& names) {
  View view{at_ns, false};
  std::uint32_t last = names.home_netns;
  for (const Hop& hop : packet.hops) {
    const std::uint32_t netns = hop.interface.netns;
    if (netns == last || netns == names.home_netns) continue;
    last = netns;
    view.several_nodes = view.several_nodes || is_node(netns, names, hop.time_ns);
  }
  return view;
}

void append_interface(Buffer& out, InterfaceId id, const Names& names, const View& view) {
  const bool elsewhere = id.netns != 0 && id.netns != names.home_netns;
  const Interface* interface = names.interface(id, view.at_ns);
  if (interface != nullptr) {
    append_name(out, interface->name);
    // In a pod's netns, the pod says more than the role of its device.
    const bool in_pod = elsewhere && !names.pod_of_netns(id.netns, view.at_ns).empty();
    const bool tells_peer = !elsewhere || is_node(id.netns, names, view.at_ns);
    if (!in_pod && view.roles)
      append_role(out, *interface, tells_peer ? interface->peer_netns : 0, names, view.at_ns);
  } else if (id.index != 0) {
    fmt::format_to(fmt::appender(out), "device {}", id.index);
  }
  if (elsewhere) {
    append(out, id.index != 0 ? " in " : "in ");
    append_netns(out, id.netns, names, view.at_ns);
  } else if (view.several_nodes && id.netns != 0 && id.index != 0) {
    append_home(out, names, view.at_ns);
  }
}

void append_hook(Buffer& out, const NetfilterVerdict& netfilter) {
  append(out, "netfilter ");
  append_hook_name(out, netfilter);
  append_family(out, netfilter.family);
}

void append_event(Buffer& out, std::span<const Hop> hops, const Names& names, const Paint& paint) {
  const Hop& hop = hops.front();
  if (!hop.netfilter) {
    const std::string_view words = point_words(hop.point);
    if (words.empty()) {
      fmt::format_to(fmt::appender(out), "point {}", hop.point);
    } else {
      append(out, words);
    }
    return;
  }
  append(out, "netfilter ");
  for (const Hop& one : hops) {
    if (&one != &hop) append(out, ", ");
    append_hook_name(out, *one.netfilter);
  }
  append_family(out, hop.netfilter->family);
  out.push_back(' ');
  append_decision(out, hop, names, paint);
}

std::size_t hops_in_line(std::span<const Hop> hops) {
  if (!is_plain_accept(hops.front())) return 1;
  std::size_t count = 1;
  while (count < hops.size() && is_plain_accept(hops[count]) &&
         same_crossing(hops.front(), hops[count])) {
    ++count;
  }
  return count;
}

bool is_translated(const Hop& hop, const Hop* before) {
  return hop.new_flow && before != nullptr && before->flow.family != 0;
}

bool same_tunnel(const std::optional<dpt_tunnel>& a, const std::optional<dpt_tunnel>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || std::memcmp(&*a, &*b, sizeof *a) == 0;
}

}  // namespace dptrace
