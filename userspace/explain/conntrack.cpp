// Causes of connection tracking (conntrack): it refuses a packet, or a rule refuses what conntrack
// finds invalid.
#include "node/state/conntrack.hpp"

#include <fmt/format.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <climits>
#include <string>

#include "explain/cause.hpp"
#include "node/in_netns.hpp"
#include "node/netns.hpp"
#include "node/state/sysctl.hpp"

namespace dptrace {

namespace {

constexpr std::uint8_t kSynSent = 1, kEstablished = 3;  // of TCP's states in conntrack

ConntrackTuple ends_of(const DropFacts& drop) {
  return {drop.protocol, drop.source, drop.destination, drop.source_port, drop.port};
}

std::string setting_of(std::string_view name) { return fmt::format("net/netfilter/{}", name); }

std::string fact_of(const ConntrackEntry& entry) {
  return fmt::format("conntrack: {}", entry.words());
}

// ---- conntrack-table-full

// These functions look up, or make, the entry of a packet.
bool may_be_full(const DropFacts& drop) {
  constexpr std::array<std::string_view, 4> kEntryFunctions = {
      "ipv4_conntrack_in", "ipv4_conntrack_local", "ipv6_conntrack_in", "ipv6_conntrack_local"};
  return std::ranges::find(kEntryFunctions, drop.decided_by) != kEntryFunctions.end();
}

// The room is the machine's, and only the netns that the machine began with can change it. Without
// a way there no command is told. There are more entries than room when the setting was larger.
void add_more_room(Explanation& explanation, int entries) {
  const std::string setting = setting_of("nf_conntrack_max");
  std::uint32_t there = 0;
  at_home([&] {
    if (can_write_sysctl(setting)) there = current_netns();
  });
  if (there == 0 || entries > INT_MAX / 2) return;
  explanation.fix.push_back(sysctl_command(setting, 2 * entries));
  explanation.fix_netns = there;
}

std::optional<Explanation> prove_full(const DropFacts&) {
  const auto count = read_sysctl(setting_of("nf_conntrack_count"));
  const auto room = read_sysctl(setting_of("nf_conntrack_max"));
  // Zero is no limit.
  if (!count || !room || *room <= 0 || *count < *room) return {};
  Explanation explanation;
  explanation.sentence =
      "the table of connection tracking (conntrack) is full, and it lets no new connection begin";
  explanation.evidence = {sysctl_fact(setting_of("nf_conntrack_count"), *count),
                          sysctl_fact(setting_of("nf_conntrack_max"), *room)};
  add_more_room(explanation, *count);
  return explanation;
}

// ---- nat-ports-exhausted, conntrack-clash

bool may_have_clashed(const DropFacts& drop) {
  return is_by_confirm(drop) && drop.source_port != 0;
}

// The entry that has the ends which this packet's would have; nothing when another cause may be
// behind the end: a helper may drop packets of connections that have their entry.
std::optional<ConntrackEntry> find_holder(const DropFacts& drop) {
  // NAT has changed the packet already: the answers to it are what both entries would take.
  const auto found = find_conntrack(ends_of(drop).reversed());
  if (!found || !*found || (*found)->has_helper) return {};
  return *found;
}

std::optional<std::string> failures_fact() {
  const auto failures = read_conntrack_insert_failures();
  if (!failures || *failures == 0) return {};
  return fmt::format("conntrack: {} entries could not be made so far (insert_failed)", *failures);
}

// The settings from which the time of an entry may have begun to run down with its last packet.
std::vector<std::string> times_of(const ConntrackEntry& entry) {
  constexpr std::array<std::string_view, 9> kOfStates = {
      "",           "syn_sent", "syn_recv",  "established", "fin_wait",
      "close_wait", "last_ack", "time_wait", "close"};
  if (entry.original.protocol == IPPROTO_UDP)
    return {"nf_conntrack_udp_timeout", "nf_conntrack_udp_timeout_stream"};
  if (entry.tcp_state == 0 || entry.tcp_state >= kOfStates.size()) return {};
  return {fmt::format("nf_conntrack_tcp_timeout_{}", kOfStates[entry.tcp_state]),
          "nf_conntrack_tcp_timeout_max_retrans", "nf_conntrack_tcp_timeout_unacknowledged"};
}

// True when the entry is certain to be older than the packet, which was dropped less than a second
// ago: its last packet came before. Conntrack calls UDP assured two seconds after the first.
bool is_older(const ConntrackEntry& entry) {
  constexpr int kSeconds = 3;
  if ((entry.status & IPS_FIXED_TIMEOUT) != 0) return false;
  if (entry.original.protocol == IPPROTO_UDP && entry.is_assured()) return true;
  const auto left = static_cast<int>(std::min<std::uint32_t>(entry.timeout_s, INT_MAX));
  bool is_less = false;
  for (const std::string& name : times_of(entry)) {
    const auto whole = read_sysctl(setting_of(name));
    if (!whole || (left <= *whole && left > *whole - kSeconds)) return false;
    is_less = is_less || left < *whole;
  }
  return is_less;
}

// NAT takes a port that an entry has only when it finds no other.
std::optional<Explanation> prove_exhausted(const DropFacts& drop) {
  const auto holder = find_holder(drop);
  const auto failures = failures_fact();
  if (!holder || !failures || holder->reply != ends_of(drop).reversed() || !is_older(*holder))
    return {};
  return Explanation{
      {},
      fmt::format("NAT has no port left with which {} could have another connection to {} port {}",
                  drop.source.text(), drop.destination.text(), drop.port),
      {fmt::format("{}, older than this packet", fact_of(*holder)), *failures},
      {}};
}

std::optional<Explanation> prove_clash(const DropFacts& drop) {
  const ConntrackTuple ends = ends_of(drop);
  const auto holder = find_holder(drop);
  const auto failures = failures_fact();
  if (!holder || !failures) return {};
  const bool is_same = holder->original == ends && holder->reply == ends.reversed();
  // Of two equal packets of UDP the second takes the entry of the first.
  if (is_same && drop.protocol == IPPROTO_UDP) return {};
  return Explanation{
      {},
      is_same ? "another packet of the connection was ahead of it, and conntrack takes two first "
                "packets for two connections"
              : "another connection has the same addresses and ports behind NAT, and conntrack "
                "keeps no second entry with them",
      {fact_of(*holder), *failures},
      {}};
}

// ---- conntrack-invalid

// That a rule takes only what is invalid is seen when the rule is told: see words/cause_words.
bool may_be_invalid(const DropFacts& drop) {
  return drop.protocol == IPPROTO_TCP && drop.source_port != 0 && may_be_by_rule(drop);
}

enum class Segment : std::uint8_t { kReset, kSynAck, kFin, kAck, kNone };

Segment segment_of(std::uint8_t flags) {
  constexpr std::uint8_t kFinFlag = 1, kSynFlag = 2, kRstFlag = 4, kAckFlag = 16;
  if ((flags & kRstFlag) != 0) return Segment::kReset;
  if ((flags & kSynFlag) != 0) return Segment::kSynAck;
  if ((flags & kFinFlag) != 0) return Segment::kFin;
  return (flags & kAckFlag) != 0 ? Segment::kAck : Segment::kNone;
}

std::string_view segment_words(Segment segment) {
  constexpr std::array<std::string_view, 5> kWords = {"a RST", "a SYN with ACK", "a FIN", "an ACK",
                                                      "a segment without flags"};
  return kWords[static_cast<std::size_t>(segment)];
}

std::optional<Explanation> prove_unknown_connection(const DropFacts& drop, Segment segment) {
  constexpr std::string_view kLoose = "net/netfilter/nf_conntrack_tcp_loose";
  Explanation explanation;
  explanation.sentence =
      fmt::format("conntrack knows no connection of it, and {} opens none", segment_words(segment));
  explanation.evidence.push_back(
      fmt::format("conntrack: no entry of tcp {}", ends_of(drop).words()));
  if (segment != Segment::kAck) return explanation;
  // By default conntrack takes an ACK for that of a connection which has begun without it.
  const auto loose = read_sysctl(kLoose);
  if (!loose || *loose != 0) return {};
  explanation.evidence.push_back(sysctl_fact(kLoose, 0));
  explanation.fix.push_back(sysctl_command(kLoose, 1));
  return explanation;
}

std::string state_fact(const ConntrackEntry& entry) {
  return fmt::format("{}: {}", fact_of(entry), conntrack_tcp_state(entry.tcp_state));
}

std::optional<Explanation> prove_window(const ConntrackEntry& entry) {
  constexpr std::string_view kLiberal = "net/netfilter/nf_conntrack_tcp_be_liberal";
  const auto liberal = read_sysctl(kLiberal);
  if (!liberal || *liberal != 0) return {};
  const bool checks = read_sysctl("net/netfilter/nf_conntrack_checksum").value_or(1) != 0;
  return Explanation{
      {},
      fmt::format("conntrack knows its connection, but the segment is outside of the window{}",
                  checks ? ", or damaged" : ""),
      {state_fact(entry), sysctl_fact(kLiberal, 0)},
      {sysctl_command(kLiberal, 1)}};
}

std::optional<Explanation> prove_invalid(const DropFacts& drop) {
  const ConntrackTuple ends = ends_of(drop);
  const Segment segment = segment_of(drop.tcp_flags);
  const auto entry = find_conntrack(ends);
  if (!entry) return {};
  if (!*entry) return prove_unknown_connection(drop, segment);
  const bool is_plain = segment == Segment::kAck || segment == Segment::kFin;
  if ((*entry)->tcp_state == kEstablished && is_plain) return prove_window(**entry);
  if ((*entry)->tcp_state != kSynSent || (*entry)->is_answered() || segment != Segment::kAck ||
      (*entry)->original != ends)
    return {};
  return Explanation{{},
                     "conntrack has seen the SYN of its connection, but no answer to it: the "
                     "answers take another way",
                     {state_fact(**entry)},
                     {}};
}

constexpr std::array kCauses = {
    Cause{"conntrack-table-full", may_be_full, prove_full},
    Cause{"nat-ports-exhausted", may_have_clashed, prove_exhausted},
    Cause{"conntrack-clash", may_have_clashed, prove_clash},
    Cause{"conntrack-invalid", may_be_invalid, prove_invalid},
};

}  // namespace

std::span<const Cause> conntrack_causes() { return kCauses; }

}  // namespace dptrace
