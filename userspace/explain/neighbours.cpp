// Causes of neighbours: nobody answers for an address.
#include <fmt/format.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "model/shell_word.hpp"
#include "node/in_netns.hpp"
#include "node/state/mac.hpp"
#include "node/state/neighbour.hpp"
#include "node/state/neighbour_table.hpp"
#include "node/state/route.hpp"
#include "node/state/sysctl.hpp"

namespace dptrace {

namespace {

bool may_be_unresolved(const DropFacts& drop) {
  if (drop.device == 0) return false;
  return drop.reason == "NEIGH_FAILED" ||
         (drop.reason.empty() && (drop.by("neigh_invalidate") || drop.by("__neigh_event_send") ||
                                  drop.by("arp_error_report") || drop.by("ndisc_error_report")));
}

// The packet waits for its neighbour in the queue of the device that it would leave by.
std::optional<Explanation> prove_unresolved(const DropFacts& drop) {
  const auto route = look_up_route({drop.destination});
  if (!route) return {};
  const bool by_gateway = route->error == 0 && route->output == drop.device && route->gateway;
  const Address hop = by_gateway ? *route->gateway : drop.destination;
  const auto neighbours = find_neighbours(hop, drop.device);
  if (!neighbours || neighbours->empty()) return {};
  const Neighbour& neighbour = neighbours->front();
  if ((neighbour.state & (NUD_FAILED | NUD_INCOMPLETE)) == 0) return {};
  const std::string device = device_name(drop.device);
  const std::string_view protocol = hop.is_ipv4() ? "ARP" : "neighbour discovery";
  Explanation explanation;
  explanation.sentence =
      fmt::format("nobody on {} answers {} for {}", device, protocol, hop.text());
  if (by_gateway)
    explanation.sentence += fmt::format(", the gateway to {}", drop.destination.text());
  explanation.evidence.push_back(
      fmt::format("neighbour {} dev {}: {}", hop.text(), device, neighbour_state(neighbour.state)));
  return explanation;
}

// ---- neighbour-table-full

bool may_lack_room(const DropFacts& drop) {
  return drop.reason == "NEIGH_CREATEFAIL" ||
         (drop.reason.empty() && (drop.by("ip_finish_output2") || drop.by("ip6_finish_output2")));
}

std::optional<Explanation> prove_no_room(const DropFacts& drop) {
  constexpr std::uint32_t kUsual = 1024;
  const auto table = read_neighbour_table(drop.family == 4 ? AF_INET : AF_INET6);
  if (!table || table->times_full == 0 || table->entries < table->most) return {};
  const std::string setting = fmt::format("net/ipv{}/neigh/default/gc_thresh3", drop.family);
  Explanation explanation{
      {},
      fmt::format("the kernel's table of IPv{} neighbours is full", drop.family),
      {fmt::format("{} entries, gc_thresh3 = {}", table->entries, table->most),
       fmt::format("an entry found no room {} times so far", table->times_full)},
      {}};
  // The table is one for all network namespaces, but a namespace of another user cannot set it.
  at_home([&] {
    if (!read_sysctl(setting)) return;
    const std::uint32_t enough = std::max(kUsual, 2 * table->entries);
    explanation.fix.push_back(sysctl_command(setting, static_cast<int>(enough)));
    explanation.fix_netns = current_netns();
  });
  return explanation;
}

// ---- other-host

bool may_be_anothers(const DropFacts& drop) {
  return drop.other_host && drop.device != 0 &&
         (drop.reason == "OTHERHOST" ||
          (drop.reason.empty() && (drop.by("ip_rcv_core") || drop.by("ip_rcv") ||
                                   drop.by("ip6_rcv_core") || drop.by("ipv6_rcv"))));
}

// The entry of dptrace's own netns from which the frame has its MAC address. Nothing when a packet
// of this source would not be sent from there, or goes to a gateway, whose address is another.
std::optional<Neighbour> stale_entry(const DropFacts& drop, const std::string& mac) {
  const auto source = look_up_route({drop.source});
  const auto way = look_up_route({drop.destination});
  if (!source || !way || source->error != 0 || way->error != 0 || way->gateway) return {};
  if (source->type != RTN_LOCAL && source->output == way->output) return {};
  const auto entries = find_neighbours(drop.destination, way->output);
  if (!entries || entries->empty()) return {};
  const Neighbour& entry = entries->front();
  if (entry.mac.empty() || entry.mac == mac) return {};
  return entry;
}

std::optional<Explanation> prove_anothers(const DropFacts& drop) {
  const std::string device = device_name(drop.device), mac = device_mac(drop.device);
  if (mac.empty()) return {};
  Explanation explanation{
      {},
      fmt::format("the frame was sent to another MAC address than that of {}", device),
      {fmt::format("{} has {}", device, mac)},
      {}};
  // Only an entry for the packet's own destination is in doubt, not that of a router it passes.
  const auto here = look_up_route({drop.destination});
  if (!here || here->type != RTN_LOCAL) return explanation;
  at_home([&] {
    const auto entry = stale_entry(drop, mac);
    if (!entry) return;
    const std::string by = device_name(entry->device);
    const std::string address = drop.destination.text();
    explanation.sentence = fmt::format(
        "this node sends to {} with a MAC address that {} does not have", address, device);
    explanation.evidence.push_back(fmt::format("neighbour {} dev {}: {} {}", address, by,
                                               entry->mac, neighbour_state(entry->state)));
    explanation.fix.push_back(fmt::format("ip neigh del {} dev {}", address, shell_word(by)));
    explanation.fix_netns = current_netns();
  });
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"other-host", may_be_anothers, prove_anothers},
    Cause{"neighbour-unresolved", may_be_unresolved, prove_unresolved},
    Cause{"neighbour-table-full", may_lack_room, prove_no_room},
};

}  // namespace

std::span<const Cause> neighbour_causes() { return kCauses; }

}  // namespace dptrace
