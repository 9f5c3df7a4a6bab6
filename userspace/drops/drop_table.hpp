// The drop table has what a node loses, by kind: the drop-watch counts it, its outputs show it.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dptrace/drops.h"
#include "model/address.hpp"
#include "model/end.hpp"
#include "model/explanation.hpp"
#include "model/interface.hpp"
#include "model/loss_counter.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// A DropKind says in what drops are alike.
struct DropKind {
  std::optional<std::uint32_t> reason;  ///< nothing on kernels without reasons
  /// Return address into the function that freed the packet; helpers that free for others are
  /// passed over.
  std::uint64_t location = 0;
  InterfaceId interface;
  std::uint8_t family = 0;  ///< 4, 6; 0: not IP
  std::uint8_t protocol = 0;
  std::uint8_t icmp_type = 0;
  std::uint16_t ethertype = 0;  ///< of a packet that is not IP; 0: none
  std::optional<Address> pod;   ///< the end of the packet that is a known pod's
  /// The kind stands for all kinds of its interface (index 0: of its netns) beyond those that had
  /// room; nothing else is known of them.
  bool folded = false;
  // The fields below decide whether the drop was a loss. They are not shown, see
  // are_shown_as_one().
  std::uint8_t packet_type = 0;  ///< PACKET_*
  bool multicast = false;        ///< its IP destination is a multicast address or the broadcast one
  bool flooded = false;          ///< as DPT_HOP_FLOODED
  dpt_segment segment = DPT_SEGMENT_UNKNOWN;  ///< TCP
  bool over = false;       ///< TCP: its receiver had closed the connection not long ago
  bool half_open = false;  ///< TCP: as DPT_KIND_HALF_OPEN

  /// Returns whether the packet was for many receivers, by its IP destination or that of its frame.
  bool is_for_many() const;

  friend bool operator==(const DropKind&, const DropKind&) = default;
  friend bool operator<(const DropKind& a, const DropKind& b);
};

/// Returns whether two kinds differ only in what decides whether they are losses.
bool are_shown_as_one(const DropKind& a, const DropKind& b);

struct DropCount {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;

  DropCount& operator+=(const DropCount& more) {
    packets += more.packets;
    bytes += more.bytes;
    return *this;
  }
  friend bool operator==(const DropCount&, const DropCount&) = default;
};

/// DropSample is one packet of a kind, as the kernel freed it.
struct DropSample {
  Drop drop;
  dpt_flow flow{};
  std::optional<dpt_tunnel> tunnel;
  std::uint32_t length = 0;  ///< skb->len
};

/// DropOwner has hashes of the names that a kind's address and netns have; 0: not known. Address
/// and netns are given to other pods when theirs have ended.
struct DropOwner {
  std::size_t pod = 0;
  std::size_t netns = 0;
};

struct DropRow {
  DropKind kind;         ///< the first of those that are counted here, all shown as one
  std::uint64_t id = 0;  ///< of the kind, the same in all tables of a watch
  std::vector<std::uint64_t> more_ids;  ///< ids of the other kinds that are counted here
  DropOwner owner;
  End end = End::kLoss;
  DropCount total;  ///< since the watch began
  DropCount interval;
  double rate = 0;             ///< packets per second, in this interval
  double rate_before = 0;      ///< packets per second, in the interval before
  std::uint64_t first_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t last_ns = 0;   ///< no later than the end of the interval it was last counted in
  bool is_new = false;         ///< first counted in this interval, and not the first one
  std::vector<DropSample> samples;  ///< the last ones, oldest first
  /// Why packets of these kinds died lately; null when nobody asks, and for frees without loss.
  std::shared_ptr<const Explanation> explanation{};

  /// Returns a time when numbers and addresses meant what they mean in this row.
  std::uint64_t named_at_ns() const {
    return samples.empty() ? last_ns : samples.back().drop.time_ns;
  }
  bool is_loss() const { return end == End::kLoss; }
};

/// A DropTable is the table at the end of one interval.
struct DropTable {
  std::uint64_t time_ns = 0;      ///< end of the interval, CLOCK_MONOTONIC
  std::uint64_t interval_ns = 0;  ///< length of the interval
  std::vector<DropRow> rows;      ///< losses first, then by rate, total and kind
  DropCount losses;               ///< since the watch began: all rows that are a loss, and `other`
  DropCount harmless;             ///< since the watch began: frees that are no loss
  DropCount other;  ///< since the watch began: kinds that found no room (not all bytes are known)
  DropCount other_interval;
  DropCount folded;  ///< since the watch began: rows that are no longer listed
  std::uint64_t folded_rows = 0;
  std::uint64_t samples_lost = 0;  ///< since the watch began: samples that found no room
  /// Since the watch began: drops that the kernel did not show to the program. The filter may have
  /// meant them or not. Without a filter they are in `other`.
  std::uint64_t not_examined = 0;
  std::vector<LossCounter> counters;  ///< counters that have risen since the watch began
  bool explained = false;             ///< causes are asked for
};

}  // namespace dptrace
