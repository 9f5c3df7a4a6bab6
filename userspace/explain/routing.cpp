// Causes of forwarding: where a packet is on its way, and its route is not in doubt.
#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "explain/cause.hpp"
#include "model/shell_word.hpp"
#include "node/links.hpp"
#include "node/state/route.hpp"
#include "node/state/sysctl.hpp"

namespace dptrace {

namespace {

bool is(const DropFacts& drop, std::string_view reason) { return drop.reason == reason; }

// Kernels before 5.17 have no reasons, and later ones give none for some drops.
bool may_be_reason(const DropFacts& drop, std::string_view reason) {
  return drop.reason.empty() || is(drop, reason);
}

// The kernel's answer for the packet as it came in.
std::optional<Route> route_of(const DropFacts& drop) {
  const auto route = look_up_route({drop.destination, drop.source, drop.device, drop.mark});
  return route ? std::optional(*route) : std::nullopt;
}

// `, table 77` where a rule of policy routing has chosen another than the main table.
std::string table_text(const Route& route) {
  return route.table == 0 || route.table == RT_TABLE_MAIN ? ""
                                                          : fmt::format(", table {}", route.table);
}

// ---- forwarding-disabled

bool may_be_unforwarded(const DropFacts& drop) {
  if (drop.family == 4) return drop.by("ip_error") && may_be_reason(drop, "IP_INADDRERRORS");
  return drop.by("ip6_forward") && may_be_reason(drop, "IP_INADDRERRORS");
}

std::optional<Explanation> prove_unforwarded(const DropFacts& drop) {
  const std::string device = device_name(drop.device);
  // IPv6 asks only whether the node forwards.
  if (drop.family == 6) {
    const std::string_view all = "net/ipv6/conf/all/forwarding";
    if (read_sysctl(all) != 0) return {};
    return Explanation{{},
                       "this node does not forward IPv6 packets",
                       {sysctl_fact(all, 0)},
                       {sysctl_command(all, 1)}};
  }
  const std::string setting = device_setting(drop, device, "forwarding");
  if (read_sysctl(setting) != 0) return {};
  Explanation explanation{{},
                          fmt::format("{} does not forward IPv4 packets", device),
                          {sysctl_fact(setting, 0)},
                          {sysctl_command(setting, 1)}};
  // The setting of the node sets that of all devices, whose answers have to pass, too.
  const std::string_view node = "net/ipv4/ip_forward";
  if (read_sysctl(node) == 0) {
    explanation.evidence.push_back(sysctl_fact(node, 0));
    explanation.fix = {sysctl_command(node, 1)};
  }
  return explanation;
}

// ---- martian-source, reverse-path-filter

bool may_be_martian(const DropFacts& drop) {
  return drop.family == 4 && drop.by("ip_rcv_finish_core") &&
         may_be_reason(drop, "IP_LOCAL_SOURCE");
}

std::optional<Explanation> prove_martian(const DropFacts& drop) {
  const auto back = look_up_route({drop.source});
  if (!back || back->error != 0 || back->type != RTN_LOCAL) return {};
  return Explanation{{},
                     fmt::format("{} came in by {}, but is an address of this node itself",
                                 drop.source.text(), device_name(drop.device)),
                     {fmt::format("ip route get {}: local", drop.source.text())},
                     {}};
}

bool may_be_reverse_path(const DropFacts& drop) {
  return drop.family == 4 && drop.by("ip_rcv_finish_core") && may_be_reason(drop, "IP_RPFILTER");
}

std::optional<Explanation> prove_reverse_path(const DropFacts& drop) {
  constexpr int kStrict = 1, kLoose = 2;
  const std::string device = device_name(drop.device);
  const std::string own = device_setting(drop, device, "rp_filter");
  const std::string all = device_setting(drop, "all", "rp_filter");
  const auto own_value = read_sysctl(own), all_value = read_sysctl(all);
  if (!own_value || !all_value) return {};
  const int mode = std::max(*own_value, *all_value);
  // The way back is that of a packet without a mark, unless a setting says otherwise.
  const bool by_mark = read_sysctl(device_setting(drop, device, "src_valid_mark")) == 1 ||
                       read_sysctl(device_setting(drop, "all", "src_valid_mark")) == 1;
  const auto back = look_up_route({drop.source, {}, 0, by_mark ? drop.mark : 0});
  if (!back || mode == 0) return {};
  const std::string_view deciding = *own_value == mode ? own : all;
  Explanation explanation;
  explanation.evidence.push_back(sysctl_fact(deciding, mode));
  if (back->error != 0) {
    explanation.sentence =
        fmt::format("no route leads back to {}, and {} takes only packets that could be answered",
                    drop.source.text(), device);
    explanation.evidence.push_back(
        fmt::format("ip route get {}: {}", drop.source.text(), std::strerror(back->error)));
    return explanation;
  }
  if (mode != kStrict || back->output == drop.device || back->output == 0) return {};
  const std::string leaves = device_name(back->output);
  explanation.sentence = fmt::format("{} came in by {}, but the route back to it leaves by {}",
                                     drop.source.text(), device, leaves);
  explanation.evidence.push_back(
      fmt::format("ip route get {}: dev {}{}", drop.source.text(), leaves, table_text(*back)));
  // Of the two settings the larger counts.
  explanation.fix.push_back(sysctl_command(own, kLoose));
  return explanation;
}

// ---- ttl-expired

bool may_be_expired(const DropFacts& drop) {
  if (drop.ttl == 0 || drop.ttl > 1) return false;
  return drop.by(drop.family == 4 ? "ip_forward" : "ip6_forward") &&
         may_be_reason(drop, "IP_INHDR");
}

std::optional<Explanation> prove_expired(const DropFacts& drop) {
  const std::string_view field = drop.family == 4 ? "TTL" : "hop limit";
  return Explanation{{},
                     fmt::format("its {} is used up: no router may pass it on", field),
                     {fmt::format("{} {} at {}", field, drop.ttl, device_name(drop.device))},
                     {}};
}

// ---- mtu-exceeded

bool may_be_too_big(const DropFacts& drop) {
  if (drop.ttl == 1 || drop.device == 0) return false;
  return drop.by(drop.family == 4 ? "ip_forward" : "ip6_forward") &&
         may_be_reason(drop, "PKT_TOO_BIG");
}

// The bytes that a tunnel of the kind adds to a packet; 0: not known.
std::uint32_t overhead_of(const Link& link, bool underlay_ipv6) {
  if (link.kind == "vxlan") return underlay_ipv6 ? 70 : 50;
  if (link.kind == "ipip") return 20;
  return 0;
}

std::optional<Explanation> prove_too_big(const DropFacts& drop) {
  constexpr std::size_t kMostLinks = 4096;
  const auto links = read_links(kMostLinks);
  if (!links) return {};
  // ip6_forward has given the packet to the device that it does not fit.
  std::uint32_t output = drop.device;
  if (drop.family == 4) {
    const auto route = route_of(drop);
    if (!route || route->error != 0) return {};
    output = route->output;
  }
  const Link* link = find_link(*links, output);
  if (link == nullptr || link->mtu == 0 || drop.length <= link->mtu) return {};
  Explanation explanation;
  explanation.sentence = fmt::format("the packet has {} bytes, {} takes {}, and it may not be cut",
                                     drop.length, link->name, link->mtu);
  explanation.evidence.push_back(fmt::format("{} mtu {}", link->name, link->mtu));
  const Link* under = find_link(*links, link->underlay);
  const bool underlay_ipv6 = link->local && !link->local->is_ipv4();
  const std::uint32_t overhead = overhead_of(*link, underlay_ipv6);
  if (under == nullptr || overhead == 0 || under->mtu < drop.length + overhead) return explanation;
  explanation.evidence.push_back(fmt::format("{} below it: mtu {}", under->name, under->mtu));
  explanation.fix.push_back(
      fmt::format("ip link set {} mtu {}", shell_word(link->name), under->mtu - overhead));
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"forwarding-disabled", may_be_unforwarded, prove_unforwarded},
    Cause{"martian-source", may_be_martian, prove_martian},
    Cause{"reverse-path-filter", may_be_reverse_path, prove_reverse_path},
    Cause{"ttl-expired", may_be_expired, prove_expired},
    Cause{"mtu-exceeded", may_be_too_big, prove_too_big},
};

}  // namespace

std::span<const Cause> routing_causes() { return kCauses; }

}  // namespace dptrace
