// The drop table has what a node loses, by kind: the drop-watch counts it, its outputs show it.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dptrace/drops.h"
#include "model/address.hpp"
#include "model/end.hpp"
#include "model/interface.hpp"
#include "model/loss_counter.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// Drops that are alike.
struct DropKind {
  std::optional<std::uint32_t> reason;  ///< nothing on kernels without reasons
  /// Return address into the function that freed it, helpers that free for others passed over.
  std::uint64_t location = 0;
  InterfaceId interface;
  std::uint8_t family = 0;  ///< 4, 6; 0: not IP
  std::uint8_t protocol = 0;
  std::uint8_t icmp_type = 0;
  std::uint16_t ethertype = 0;  ///< of what is not IP; 0: none
  std::optional<Address> pod;   ///< the end of the packet that is a known pod's
  /// All kinds of its interface (index 0: of its netns) beyond those that had room; of the rest,
  /// nothing is known.
  bool folded = false;
  // These decide whether it was a loss and are not shown, see are_shown_as_one().
  std::uint8_t packet_type = 0;  ///< PACKET_*
  bool multicast = false;        ///< its IP destination is a multicast address or the broadcast one
  bool flooded = false;          ///< as DPT_HOP_FLOODED
  dpt_segment segment = DPT_SEGMENT_UNKNOWN;  ///< TCP
  bool over = false;       ///< TCP: its receiver had closed the connection not long ago
  bool half_open = false;  ///< TCP: as DPT_KIND_HALF_OPEN

  /// By its IP destination or that of its frame.
  bool is_for_many() const;

  friend bool operator==(const DropKind&, const DropKind&) = default;
  friend bool operator<(const DropKind& a, const DropKind& b);
};

/// Do they differ only in what decides whether they are losses?
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

/// One packet of a kind, as the kernel freed it.
struct DropSample {
  Drop drop;
  dpt_flow flow{};
  std::optional<dpt_tunnel> tunnel;
  std::uint32_t length = 0;  ///< skb->len
};

/// Hashes of the names that a kind's address and netns have; 0: not known. Both are given to other
/// pods when theirs have ended.
struct DropOwner {
  std::size_t pod = 0;
  std::size_t netns = 0;
};

struct DropRow {
  DropKind kind;         ///< the first of those that are counted here, all shown as one
  std::uint64_t id = 0;  ///< of the kind, the same in all tables of a watch
  std::vector<std::uint64_t> more_ids;  ///< of the other kinds
  DropOwner owner;
  End end = End::kLoss;
  DropCount total;  ///< since the watch began
  DropCount interval;
  double rate = 0;             ///< packets per second, in this interval
  double rate_before = 0;      ///< ... and in the one before
  std::uint64_t first_ns = 0;  ///< CLOCK_MONOTONIC
  std::uint64_t last_ns = 0;   ///< no later than the end of the interval it was last counted in
  bool is_new = false;         ///< first counted in this interval, and not the first one
  std::vector<DropSample> samples;  ///< the last ones, oldest first

  /// When numbers and addresses meant what they mean in this row.
  std::uint64_t named_at_ns() const {
    return samples.empty() ? last_ns : samples.back().drop.time_ns;
  }
  bool is_loss() const { return end == End::kLoss; }
};

/// Of one interval.
struct DropTable {
  std::uint64_t time_ns = 0;      ///< CLOCK_MONOTONIC, of its end
  std::uint64_t interval_ns = 0;  ///< its length
  std::vector<DropRow> rows;      ///< losses first, then by rate, total and kind
  DropCount losses;               ///< since the watch began: all rows that are a loss, and `other`
  DropCount harmless;             ///< ... and the frees that are none
  DropCount other;                ///< ... kinds that found no room (the bytes are not always known)
  DropCount other_interval;
  DropCount folded;  ///< ... of rows that are no longer listed
  std::uint64_t folded_rows = 0;
  std::uint64_t samples_lost = 0;  ///< since the watch began: samples that found no room
  /// ... drops that the kernel did not show to the program: the filter may have meant them or not.
  /// Without a filter they are in `other`.
  std::uint64_t not_examined = 0;
  std::vector<LossCounter> counters;  ///< those that have risen since the watch began
};

}  // namespace dptrace
