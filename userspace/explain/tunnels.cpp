// Causes of tunnels: no device takes the packet out of its tunnel, or none knows where to send it.
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "model/shell_word.hpp"
#include "node/links.hpp"
#include "node/state/neighbour.hpp"
#include "node/state/route.hpp"
#include "node/state/vtep.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kMostLinks = 4096;
constexpr std::size_t kShown = 3;

// All devices of a kind; nothing when they are not known, or too many.
std::optional<std::vector<Link>> links_of_kind(std::string_view kind) {
  auto links = read_links(kMostLinks);
  if (!links || links->size() == kMostLinks) return {};
  std::erase_if(*links, [&](const Link& link) { return link.kind != kind; });
  return std::move(*links);
}

template <typename Words>
std::string few_of(const std::vector<Link>& links, Words words) {
  std::string text;
  for (const Link& link : links) {
    if (&link - links.data() == kShown)
      return text + fmt::format(" and {} more", links.size() - kShown);
    text += (text.empty() ? "" : ", ") + words(link);
  }
  return text;
}

Explanation down(const Link& link, std::string_view takes) {
  return {{},
          fmt::format("{}, which takes {}, is down", link.name, takes),
          {fmt::format("{}: down", link.name)},
          {fmt::format("ip link set {} up", shell_word(link.name))}};
}

// ---- tunnel-no-device

bool may_lack_device(const DropFacts& drop) {
  if (drop.tunnel == DPT_TUNNEL_IPIP)
    return (drop.by("tunnel4_rcv") && drop.reason.empty()) ||
           (drop.by("ip_protocol_deliver_rcu") &&
            (drop.reason.empty() || drop.reason == "IP_NOPROTO"));
  return drop.tunnel == DPT_TUNNEL_VXLAN &&
         (drop.reason == "NO_SOCKET" ||
          (drop.reason.empty() && (drop.by("__udp4_lib_rcv") || drop.by("__udp6_lib_rcv"))));
}

std::string ends_of(const Link& link) {
  const auto text = [](const std::optional<Address>& end) { return end ? end->text() : "any"; };
  return fmt::format("{} (local {}, remote {})", link.name, text(link.local), text(link.remote));
}

std::optional<Explanation> prove_no_ipip(const DropFacts& drop) {
  const std::string packets =
      fmt::format("IPIP packets from {} to {}", drop.source.text(), drop.destination.text());
  const auto links = links_of_kind("ipip");
  if (!links) return {};
  const auto takes = [&](const Link& link) {
    return link.local.value_or(drop.destination) == drop.destination &&
           link.remote.value_or(drop.source) == drop.source;
  };
  if (std::ranges::any_of(*links, [&](const Link& link) { return takes(link) && link.is_up(); }))
    return {};
  const auto is_down = std::ranges::find_if(*links, takes);
  if (is_down != links->end()) return down(*is_down, packets);
  return Explanation{{},
                     fmt::format("no device takes {}", packets),
                     {links->empty() ? "there is no device of kind ipip" : few_of(*links, ends_of)},
                     {}};
}

// What takes VXLAN packets is a socket, which a device has while it is up. Of several devices that
// are down, the packet's is not known.
std::optional<Explanation> prove_no_vxlan(const DropFacts& drop) {
  auto links = links_of_kind("vxlan");
  if (!links) return {};
  std::erase_if(*links, [&](const Link& link) { return link.vxlan_port != drop.port; });
  if (links->size() != 1 || links->front().is_up()) return {};
  return down(links->front(), fmt::format("VXLAN packets at UDP port {}", drop.port));
}

std::optional<Explanation> prove_no_device(const DropFacts& drop) {
  return drop.tunnel == DPT_TUNNEL_IPIP ? prove_no_ipip(drop) : prove_no_vxlan(drop);
}

// ---- vxlan-unknown-vni

bool may_be_unknown_vni(const DropFacts& drop) {
  return drop.tunnel == DPT_TUNNEL_VXLAN && drop.by("vxlan_rcv") &&
         (drop.reason.empty() || drop.reason == "VXLAN_VNI_NOT_FOUND");
}

std::optional<Explanation> prove_unknown_vni(const DropFacts& drop) {
  auto links = links_of_kind("vxlan");
  if (!links) return {};
  std::erase_if(*links,
                [&](const Link& link) { return !link.is_up() || link.vxlan_port != drop.port; });
  if (links->empty() || std::ranges::any_of(*links, [&](const Link& link) {
        return link.takes_any_vni || link.vni == drop.tunnel_id;
      }))
    return {};
  return Explanation{
      {},
      fmt::format("the packet is of VNI {}, which no VXLAN device at UDP port {} has",
                  drop.tunnel_id, drop.port),
      {few_of(*links,
              [](const Link& link) { return fmt::format("{} has VNI {}", link.name, link.vni); })},
      {}};
}

// ---- vxlan-no-fdb

bool may_lack_vtep(const DropFacts& drop) {
  return drop.by("vxlan_xmit") && drop.device != 0 &&
         (drop.reason.empty() || drop.reason == "NO_TX_TARGET");
}

std::optional<Explanation> prove_no_vtep(const DropFacts& drop) {
  const auto route = look_up_route({drop.destination});
  if (!route || route->error != 0 || route->output != drop.device) return {};
  const Address hop = route->gateway.value_or(drop.destination);
  const auto neighbours = find_neighbours(hop, drop.device);
  if (!neighbours || neighbours->empty() || neighbours->front().mac.empty()) return {};
  const std::string& mac = neighbours->front().mac;
  const auto vteps = find_vteps(drop.device, mac);
  if (!vteps || !vteps->empty()) return {};
  const std::string device = device_name(drop.device);
  return Explanation{
      {},
      fmt::format("{} does not know to which node it is to send {}, the MAC address of {}", device,
                  mac, hop.text()),
      {fmt::format("neighbour {} dev {}: {}", hop.text(), device, mac),
       fmt::format("bridge fdb show dev {}: no entry for {}", device, mac)},
      {}};
}

// ---- tunnel-loop

bool may_be_loop(const DropFacts& drop) {
  return drop.device != 0 &&
         (drop.by("vxlan_xmit_one") || drop.by("ip_tunnel_xmit") || drop.by("ip6_tnl_xmit"));
}

// Where the tunnel sends the packet; empty: it is not known, or there are several.
std::optional<Address> other_end(const DropFacts& drop, const Link& link) {
  if (link.kind == "ipip" && link.remote) return link.remote;
  const auto route = look_up_route({drop.destination});
  if (!route || route->error != 0 || route->output != link.index) return {};
  const Address hop = route->gateway.value_or(drop.destination);
  if (link.kind == "ipip") return hop;
  if (link.kind != "vxlan") return {};
  const auto neighbours = find_neighbours(hop, link.index);
  if (!neighbours || neighbours->empty()) return link.remote;
  const auto vteps = find_vteps(link.index, neighbours->front().mac);
  if (!vteps || vteps->size() != 1) return {};
  return vteps->front() ? vteps->front() : link.remote;
}

// The device refuses to send into itself.
std::optional<Explanation> prove_loop(const DropFacts& drop) {
  const auto links = read_links(kMostLinks);
  if (!links) return {};
  const Link* link = find_link(*links, drop.device);
  if (link == nullptr) return {};
  const auto end = other_end(drop, *link);
  if (!end) return {};
  const auto route = look_up_route({*end});
  if (!route || route->error != 0 || route->output != link->index) return {};
  return Explanation{
      {},
      fmt::format("{} sends to {}, and the route to that address leads into {} itself", link->name,
                  end->text(), link->name),
      {fmt::format("ip route get {}: dev {}", end->text(), link->name)},
      {}};
}

constexpr std::array kCauses = {
    Cause{"tunnel-no-device", may_lack_device, prove_no_device},
    Cause{"vxlan-unknown-vni", may_be_unknown_vni, prove_unknown_vni},
    Cause{"vxlan-no-fdb", may_lack_vtep, prove_no_vtep},
    Cause{"tunnel-loop", may_be_loop, prove_loop},
};

}  // namespace

std::span<const Cause> tunnel_causes() { return kCauses; }

}  // namespace dptrace
