// Causes of protocols: the kernel's own rules for segments, sockets and memory, and fragments that
// never became a packet.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string>

#include "explain/cause.hpp"
#include "node/state/fragments.hpp"
#include "node/state/sysctl.hpp"

namespace dptrace {

namespace {

struct Meaning {
  std::string_view reason;
  std::string_view sentence;
};

// Reasons that only one place of the kernel gives, so that they prove themselves.
std::optional<Explanation> by_meaning(const DropFacts& drop, std::span<const Meaning> meanings) {
  const auto found = std::ranges::find(meanings, drop.reason, &Meaning::reason);
  if (found == meanings.end()) return {};
  return Explanation{
      {}, std::string(found->sentence), {fmt::format("the kernel says {}", drop.reason)}, {}};
}

bool means_one_of(const DropFacts& drop, std::span<const Meaning> meanings) {
  return std::ranges::find(meanings, drop.reason, &Meaning::reason) != meanings.end();
}

// ---- tcp-not-acceptable

constexpr std::array<Meaning, 17> kSegments = {{
    {"TCP_OLD_DATA", "the receiver has had these bytes before"},
    {"TCP_OLD_SEQUENCE", "the segment is from before the receiver's window"},
    {"TCP_INVALID_SEQUENCE", "the segment is outside the receiver's window"},
    {"TCP_INVALID_END_SEQUENCE", "the segment ends beyond the receiver's window"},
    {"TCP_OVERWINDOW", "the segment has more than the receiver's window has room for"},
    {"TCP_INVALID_ACK_SEQUENCE", "the segment acknowledges what the connection has not sent"},
    {"TCP_ACK_UNSENT_DATA", "the segment acknowledges what the connection has not sent"},
    {"TCP_OLD_ACK", "the segment acknowledges what was acknowledged before"},
    {"TCP_TOO_OLD_ACK", "the segment acknowledges what was acknowledged long before"},
    {"TCP_INVALID_SYN", "a SYN comes amid a connection that is open"},
    {"TCP_RFC7323_PAWS", "its timestamp is older than that of an earlier segment"},
    {"TCP_RFC7323_PAWS_ACK", "its timestamp is older than that of an earlier segment"},
    {"TCP_RFC7323_TW_PAWS",
     "its timestamp is older than that of the connection which had the same ports before"},
    {"TCP_RFC7323_TSECR", "its timestamp answers none that the receiver has sent"},
    {"TCP_OFO_DROP", "it is out of order, and the receiver keeps no more such segments"},
    {"TCP_OFO_QUEUE_PRUNE", "it is out of order, and the receiver keeps no more such segments"},
    {"TCP_FLAGS", "its flags are none that the socket takes in its state"},
}};

bool may_be_unacceptable(const DropFacts& drop) { return means_one_of(drop, kSegments); }
std::optional<Explanation> prove_unacceptable(const DropFacts& drop) {
  return by_meaning(drop, kSegments);
}

// ---- socket-filter

constexpr std::array<Meaning, 1> kFilters = {
    {{"SOCKET_FILTER", "a filter that the receiving program has put on its socket refuses it"}}};

bool may_be_filtered(const DropFacts& drop) { return means_one_of(drop, kFilters); }
std::optional<Explanation> prove_filtered(const DropFacts& drop) {
  return by_meaning(drop, kFilters);
}

// ---- out-of-memory

constexpr std::array<Meaning, 3> kMemory = {{
    {"NOMEM", "the kernel had no memory for it"},
    {"PFMEMALLOC", "the kernel had only its last memory for it, which is not for this socket"},
    {"PROTO_MEM",
     "the sockets of its protocol have used up the memory that they may have together"},
}};

bool may_be_memory(const DropFacts& drop) { return means_one_of(drop, kMemory); }
std::optional<Explanation> prove_memory(const DropFacts& drop) { return by_meaning(drop, kMemory); }

// ---- fragments-timeout

bool may_be_expired(const DropFacts& drop) {
  return drop.reason == "FRAG_REASM_TIMEOUT" ||
         (drop.reason.empty() &&
          (drop.by("ip_expire") || drop.by("ip6_frag_expire") || drop.by("nf_ct_frag6_expire")));
}

// Connection tracking has a setting of its own for IPv6. Empty for a place that is not known.
std::string_view timeout_setting(const DropFacts& drop) {
  if (drop.family == 4) return "net/ipv4/ipfrag_time";
  if (drop.by("ip6_frag_expire")) return "net/ipv6/ip6frag_time";
  return drop.by("nf_ct_frag6_expire") ? "net/netfilter/nf_conntrack_frag6_timeout" : "";
}

std::optional<Explanation> prove_expired(const DropFacts& drop) {
  const std::string_view setting = timeout_setting(drop);
  const auto seconds = setting.empty() ? std::nullopt : read_sysctl(setting);
  if (!seconds) return {};
  return Explanation{{},
                     fmt::format("another fragment of its packet did not come within {} {}",
                                 *seconds, *seconds == 1 ? "second" : "seconds"),
                     {sysctl_fact(setting, *seconds)},
                     {}};
}

// ---- fragments-memory

bool may_have_no_room(const DropFacts& drop) {
  return drop.reason.empty() && (drop.by("ip_defrag") || drop.by("ipv6_frag_rcv"));
}

std::optional<Explanation> prove_no_room(const DropFacts& drop) {
  constexpr int kUsual = 4 << 20;  // the kernel's default, in bytes
  const std::string_view setting =
      drop.family == 4 ? "net/ipv4/ipfrag_high_thresh" : "net/ipv6/ip6frag_high_thresh";
  const auto room = read_sysctl(setting);
  const auto used = fragment_memory(drop.family);
  // The netns that says nothing of a setting has none of its own.
  if (!room || !used || *used <= static_cast<std::uint64_t>(*room)) return {};
  return Explanation{
      {},
      "fragments that wait for others of their packet have used up the memory that "
      "they may have",
      {fmt::format("{} bytes are used by fragments", *used), sysctl_fact(setting, *room)},
      {sysctl_command(setting, std::max(kUsual, *room > INT_MAX / 2 ? INT_MAX : *room * 2))}};
}

constexpr std::array kCauses = {
    Cause{"fragments-timeout", may_be_expired, prove_expired},
    Cause{"fragments-memory", may_have_no_room, prove_no_room},
    Cause{"socket-filter", may_be_filtered, prove_filtered},
    Cause{"tcp-not-acceptable", may_be_unacceptable, prove_unacceptable},
    Cause{"out-of-memory", may_be_memory, prove_memory},
};

}  // namespace

std::span<const Cause> protocol_causes() { return kCauses; }

}  // namespace dptrace
