#include <catch2/catch.hpp>

#include "support/printed.hpp"
#include "words/taken_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

constexpr std::uint64_t kHook = 0xffffffffc0402000;

std::string taken_by(std::string_view function, std::uint8_t hook = 0) {
  Names all = names();
  all.symbols[kHook] = {std::string(function), kHook};
  return printed(taken_by_hook(kHook, hook), all);
}

std::string sent_into(std::string_view kind) {
  Names all = names();
  const InterfaceId device{kHome, 77};
  all.interfaces[device] = {device, "wg0", std::string(kind), Role::kOverlay, 1420};
  const Packet packet = Builder(icmp("10.244.1.2", "10.244.2.3", 8, 11493, 1))
                            .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                            .hop(2600, DPT_POINT_DEVICE_TRANSMIT, device)
                            .end(Verdict::kStolen);
  return end_of(packet, all);
}

}  // namespace

TEST_CASE("a rule that takes a packet gives it to user space") {
  CHECK(taken_by("nft_do_chain_inet") ==
        "05:26:00.123456 out ICMP echo request 10.244.1.2 (default/client) → 10.244.2.3\n"
        "                    id 11493 seq 1, 84 bytes\n"
        "        0.0 µs  veth4722669f (pod default/client)  received (tc)\n"
        "        2.6 µs  cni0 (bridge)                      netfilter PREROUTING ipv4 handed to "
        "NFQUEUE by nft_do_chain_inet\n"
        "  queued to user space (NFQUEUE) by netfilter PREROUTING ipv4 at cni0 (bridge) after 2.6 "
        "µs\n");
  for (const auto* function : {"nft_do_chain_ipv4", "ipt_do_table", "iptable_mangle_hook",
                               "ip6t_do_table", "ip6table_filter_hook", "nf_nat_ipv4_local_fn"}) {
    CAPTURE(function);
    CHECK(contains(taken_by(function), "\n  queued to user space (NFQUEUE) by netfilter "));
  }
}

TEST_CASE("SYNPROXY takes handshakes at two hooks, and is named where it may have been it") {
  Names all = names();
  all.symbols[kHook] = {"nft_do_chain_ipv4", kHook};
  Packet packet = taken_by_hook(kHook, 2);
  CHECK_FALSE(contains(printed(packet, all), "SYNPROXY"));
  for (Hop& hop : packet.hops) hop.flow = tcp("10.244.1.2", 40112, "10.244.2.3", 80, 0x02, 1, 0);
  CHECK(contains(printed(packet, all), "handed to NFQUEUE or SYNPROXY by nft_do_chain_ipv4"));
  CHECK(contains(printed(packet, all), "(NFQUEUE), or answered by SYNPROXY, by netfilter FORWARD"));
  packet.hops.back().netfilter->hook = 4;
  CHECK_FALSE(contains(printed(packet, all), "SYNPROXY"));
}

TEST_CASE("a fragment that waits for the others is not called stolen") {
  for (const auto* function : {"ipv4_conntrack_defrag", "ipv6_defrag", "nf_ct_frag6_gather",
                               "ipv4_conntrack_defrag.isra.0"}) {
    CAPTURE(function);
    const std::string text = taken_by(function);
    CHECK(contains(text, "netfilter PREROUTING ipv4 kept for reassembly by "));
    CHECK(contains(text, "\n  kept for reassembly by netfilter PREROUTING ipv4 at cni0 (bridge)"));
    CHECK_FALSE(contains(text, "stolen"));
  }
}

TEST_CASE("another function that takes a packet is named, and nothing guessed") {
  const std::string text = taken_by("ip_vs_in_hook", 1);
  CHECK(contains(text, "netfilter INPUT ipv4 taken over by ip_vs_in_hook\n"));
  CHECK(contains(text, "\n  taken over by ip_vs_in_hook, netfilter INPUT ipv4 at cni0 (bridge)"));
}

TEST_CASE("where the function is not known, it is not known who took it") {
  const std::string text = printed(taken_by_hook(0));
  CHECK(contains(text, "netfilter PREROUTING ipv4 stolen or queued\n"));
  CHECK(contains(unbroken_end_of(taken_by_hook(0)),
                 "  stolen by netfilter PREROUTING ipv4 (queued to user space or kept by the "
                 "hook) at cni0 (bridge) after 2.6 µs\n"));
  CHECK(contains(printed(taken_by_hook(kHook)), "stolen or queued by 0xffffffffc0402000\n"));
}

TEST_CASE("in the netdev family a rule's taking is no queue") {
  Names all = names();
  all.symbols[kHook] = {"nft_do_chain_netdev", kHook};
  Packet packet = taken_by_hook(kHook);
  packet.hops.back().netfilter->family = 5;
  CHECK(contains(printed(packet, all), "taken over by nft_do_chain_netdev"));
}

TEST_CASE("a device that encrypts is an end, and says so") {
  for (const auto* kind : {"wireguard", "xfrm", "vti", "vti6", "ovpn"}) {
    CAPTURE(kind);
    CHECK(sent_into(kind) == "  stolen by wg0 (overlay), encrypted there, after 2.6 µs\n");
  }
  for (const auto* kind : {"ppp", "macsec"}) {
    CAPTURE(kind);
    CHECK(sent_into(kind) ==
          "  stolen: taken over by another layer at wg0 (overlay) after 2.6 µs\n");
  }
}
