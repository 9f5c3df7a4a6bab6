// Causes of links: the device that a packet was to leave by is down, or nothing is at its other
// end.
#include "explain/links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "model/shell_word.hpp"
#include "node/state/veth_peer.hpp"

namespace dptrace {

namespace {

// A device that is down, or has no carrier, has a queue that takes nothing, or none. Kernels from
// 6.12 on say DEV_READY where there is none.
bool may_be_unready(const DropFacts& drop) {
  if (drop.device == 0) return false;
  if (drop.reason == "QDISC_DROP" || drop.reason == "DEV_READY") return true;
  return drop.reason.empty() && drop.listed && drop.by("__dev_queue_xmit");
}

// A veth hands a packet over to its other end, which may be down for a moment before the carrier is
// gone.
bool is_handed_over(const DropFacts& drop) {
  return drop.device != 0 && drop.reason.empty() &&
         (drop.by("__dev_forward_skb") || drop.by("__dev_forward_skb2"));
}

// ---- device-down

std::optional<Explanation> prove_down(const DropFacts& drop) {
  const auto links = read_links(kMostLinks);
  const Link* link = links ? find_link(*links, drop.device) : nullptr;
  if (link == nullptr || link->is_up()) return {};
  return Explanation{{},
                     fmt::format("{} is down", link->name),
                     {fmt::format("{}: not UP", link->name)},
                     {fmt::format("ip link set {} up", shell_word(link->name))}};
}

// ---- no-carrier

bool may_lack_carrier(const DropFacts& drop) {
  return may_be_unready(drop) || is_handed_over(drop);
}

std::optional<Explanation> prove_no_carrier(const DropFacts& drop) {
  const auto links = read_links(kMostLinks);
  const Link* link = links ? find_link(*links, drop.device) : nullptr;
  if (link == nullptr || !link->is_up()) return {};
  if (!is_handed_over(drop) && link->has_carrier()) return {};
  if (auto explanation = explain_veth_peer(*link, *links)) return explanation;
  if (link->has_carrier()) return {};
  Explanation explanation;
  explanation.sentence =
      fmt::format("{} is up, but has no carrier: it can send nothing", link->name);
  explanation.evidence.push_back(fmt::format("{}: NO-CARRIER", link->name));
  if (link->kind == "bridge") {
    const auto ports = std::ranges::count(*links, link->index, &Link::master);
    explanation.sentence = fmt::format("no port of {} has a carrier", link->name);
    explanation.evidence.push_back(fmt::format("{}: {} ports", link->name, ports));
  }
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"device-down", may_be_unready, prove_down},
    Cause{"no-carrier", may_lack_carrier, prove_no_carrier},
};

}  // namespace

std::optional<Explanation> explain_veth_peer(const Link& link, const std::vector<Link>& links) {
  const auto peer = find_veth_peer(link, links);
  if (!peer || peer->link.is_up()) return {};
  Explanation explanation;
  const std::string& name = peer->link.name;
  explanation.sentence =
      fmt::format("nothing is sent by {}: the other end of its veth, {}, is down", link.name, name);
  if (!link.has_carrier()) explanation.evidence.push_back(fmt::format("{}: NO-CARRIER", link.name));
  explanation.evidence.push_back(
      fmt::format("{}{}: not UP", name, link.peer_elsewhere ? " of another netns" : ""));
  // In which netns to say it has to be known.
  if (link.peer_elsewhere && peer->netns == 0) return explanation;
  explanation.fix.push_back(fmt::format("ip link set {} up", shell_word(name)));
  explanation.fix_netns = peer->netns;
  return explanation;
}

std::span<const Cause> link_causes() { return kCauses; }

bool is_below(std::uint32_t device, std::uint32_t output) {
  constexpr int kMostLayers = 4;
  if (device == output) return true;
  const auto links = read_links(kMostLinks);
  if (!links) return false;
  for (int layer = 0; layer < kMostLayers; ++layer) {
    if (device == output) return true;
    const Link* below = find_link(*links, output);
    const Link* port = find_link(*links, device);
    if (port != nullptr && port->master == output) return true;
    if (below == nullptr || below->link == 0 || below->peer_elsewhere) {
      if (port == nullptr || port->master == 0) return false;
      device = port->master;
    } else {
      output = below->link;
    }
  }
  return false;
}

}  // namespace dptrace
