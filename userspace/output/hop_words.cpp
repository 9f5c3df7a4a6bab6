#include "output/hop_words.hpp"

#include <cstring>

#include "output/netfilter_words.hpp"

namespace dptrace {

namespace {

/// `pod default/web`, `netns n2`, `netns 4026532281`.
void append_netns(Buffer& out, std::uint32_t inode, const Names& names) {
  const auto netns = names.netns.find(inode);
  if (netns != names.netns.end() && !netns->second.pod.empty()) {
    append(out, "pod ");
    append_name(out, netns->second.pod);
  } else if (netns != names.netns.end() && !netns->second.name.empty()) {
    append(out, "netns ");
    append_name(out, netns->second.name);
  } else {
    fmt::format_to(fmt::appender(out), "netns {}", inode);
  }
}

bool is_pod_netns(std::uint32_t inode, const Names& names) {
  const auto netns = names.netns.find(inode);
  return netns != names.netns.end() && !netns->second.pod.empty();
}

void append_role(Buffer& out, const Interface& interface, const Names& names) {
  if (interface.role == Role::kOther || interface.role == Role::kLoopback) return;
  append(out, " (");
  if (interface.role == Role::kPod && interface.peer_netns != 0) {
    if (!is_pod_netns(interface.peer_netns, names)) append(out, "pod, ");
    append_netns(out, interface.peer_netns, names);
  } else {
    append(out, role_name(interface.role));
  }
  out.push_back(')');
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

void append_decision(Buffer& out, const NetfilterVerdict& netfilter, const Names& names,
                     const Paint& paint) {
  if (netfilter.result > 0) {
    append(out, netfilter_verdict(netfilter.result));
    return;
  }
  const bool dropped = netfilter.result < 0;
  paint.text(out, dropped ? Style::kBad : Style::kWarn, dropped ? "drop" : "stolen or queued");
  if (netfilter.function == 0) return;
  append(out, " by ");
  const std::string function = names.function(netfilter.function);
  append(out, function.empty() ? names.location(netfilter.function) : function);
}

bool is_plain_accept(const Hop& hop) {
  return hop.netfilter && hop.netfilter->result > 0 && !hop.new_flow;
}

bool same_crossing(const Hop& a, const Hop& b) {
  return a.interface == b.interface && a.netfilter->family == b.netfilter->family &&
         same_tunnel(a.tunnel, b.tunnel);
}

}  // namespace

void append_interface(Buffer& out, InterfaceId id, const Names& names) {
  const bool elsewhere = id.netns != 0 && id.netns != names.home_netns;
  const Interface* interface = names.interface(id);
  if (interface != nullptr) {
    append_name(out, interface->name);
    // In a pod's netns the pod says more than the role of its device.
    const bool end_in_pod =
        elsewhere && (is_pod_netns(id.netns, names) || interface->peer_netns == names.home_netns);
    if (!end_in_pod) append_role(out, *interface, names);
  } else if (id.index != 0) {
    fmt::format_to(fmt::appender(out), "device {}", id.index);
  }
  if (!elsewhere) return;
  append(out, id.index != 0 ? " in " : "in ");
  append_netns(out, id.netns, names);
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
  append_decision(out, *hop.netfilter, names, paint);
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

bool same_tunnel(const std::optional<dpt_tunnel>& a, const std::optional<dpt_tunnel>& b) {
  if (a.has_value() != b.has_value()) return false;
  return !a || std::memcmp(&*a, &*b, sizeof *a) == 0;
}

}  // namespace dptrace
