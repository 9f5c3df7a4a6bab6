#include "words/netfilter_words.hpp"

#include <linux/netfilter.h>

#include <array>

namespace dptrace {

namespace {

constexpr std::array<std::string_view, 6> kInetHooks = {"PREROUTING", "INPUT",       "FORWARD",
                                                        "OUTPUT",     "POSTROUTING", "INGRESS"};
// NF_ARP_* and NF_NETDEV_* have numbers of their own, from 0.
constexpr std::array<std::string_view, 3> kArpHooks = {"INPUT", "OUTPUT", "FORWARD"};
constexpr std::array<std::string_view, 2> kNetdevHooks = {"INGRESS", "EGRESS"};

template <std::size_t N>
std::string_view at(const std::array<std::string_view, N>& names, std::uint8_t index) {
  return index < N ? names[index] : std::string_view();
}

}  // namespace

std::string_view netfilter_family(std::uint8_t family) {
  switch (family) {
    case NFPROTO_INET:
      return "inet";
    case NFPROTO_IPV4:
      return "ipv4";
    case NFPROTO_ARP:
      return "arp";
    case NFPROTO_NETDEV:
      return "netdev";
    case NFPROTO_BRIDGE:
      return "bridge";
    case NFPROTO_IPV6:
      return "ipv6";
    default:
      return {};
  }
}

std::string_view nft_family(std::uint8_t family) {
  switch (family) {
    case NFPROTO_IPV4:
      return "ip";
    case NFPROTO_IPV6:
      return "ip6";
    default:
      return netfilter_family(family);
  }
}

std::string_view netfilter_hook(std::uint8_t family, std::uint8_t hook) {
  if (family == NFPROTO_ARP) return at(kArpHooks, hook);
  if (family == NFPROTO_NETDEV) return at(kNetdevHooks, hook);
  if (family == NFPROTO_BRIDGE && hook == 5) return "BROUTING";
  return at(kInetHooks, hook);
}

std::string_view netfilter_verdict(std::int32_t result) {
  if (result < 0) return "drop";
  return result == 0 ? "stolen" : "accept";
}

}  // namespace dptrace
