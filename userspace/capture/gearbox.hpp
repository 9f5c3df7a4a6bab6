// Gearbox chooses the gear. It is the highest one, except on a busy node on which nothing has been
// followed for a while: there the probes would cost every packet of others something, and tell
// nothing. The class is pure: it is told the time, the kernel's count of packets and what is
// followed.
#pragma once

#include <cstdint>

#include "capture/gear.hpp"

namespace dptrace {

class Gearbox {
 public:
  /// From so many packets a second on, the cost of the families would be felt: at 0.6 µs for each
  /// packet, they take about one per cent of a CPU.
  static constexpr std::uint64_t kBusy = 20'000;
  /// The probes of rules cost a packet some five times as much, and are let go of at a fifth of the
  /// rate.
  static constexpr std::uint64_t kRulesShare = 5;
  static constexpr std::uint64_t kQuietNs = 30'000'000'000;
  /// The count of packets is asked for so often by a dptrace that is awake. An idle node wakes
  /// dptrace for it only once in kQuietNs, because families could not be let go of sooner.
  static constexpr std::uint64_t kMeasureNs = 5'000'000'000;
  /// In the lowest gear all devices are watched for kPeekNs once in kPeekEveryNs, because some
  /// packets pass no doorbell. A twentieth of what watching costs is less than a per cent of what a
  /// packet costs.
  static constexpr std::uint64_t kPeekEveryNs = 10'000'000'000;
  static constexpr std::uint64_t kPeekNs = 500'000'000;

  /// `busy` is in packets a second; 0: the node is never busy, and everything stays attached.
  explicit Gearbox(std::uint64_t busy) : busy_(busy) {}

  /// Call it when something is followed: everything is wanted then.
  void follow(std::uint64_t now_ns);
  /// Returns whether it is time for measure().
  bool is_due(std::uint64_t now_ns) const {
    return busy_ != 0 && now_ns - measured_ns_ >= kMeasureNs;
  }
  /// `packets` is the node's count of packets, which wraps around.
  void measure(std::uint64_t now_ns, std::uint32_t packets);

  /// Returns whether doorbells decide now whether the lowest gear may be used. Ask it after
  /// measure().
  bool wants_doorbells() const { return !armed_; }
  /// `all_there` says whether each packet of the asked-for pods rings a doorbell.
  void set_doorbells(std::uint64_t now_ns, bool all_there);
  bool has_doorbells() const { return has_doorbells_; }

  Gear gear(std::uint64_t now_ns);
  /// Returns when gear() or measure() is to be called though nothing has come; UINT64_MAX: never.
  std::uint64_t wakes_ns() const;
  /// Returns whether the node was busy when it was last measured. A busy node stays busy down to
  /// half the rate: a node at the edge must not shift all the time.
  bool is_busy() const { return is_busy_; }
  /// The same of the rate from which on the probes of rules would be felt.
  bool is_busy_for_rules() const { return is_busy_for_rules_; }

 private:
  std::uint64_t busy_;
  bool armed_ = true;
  bool has_doorbells_ = false;
  bool is_in_doubt_ = false;  ///< there were doorbells, and nobody has looked again
  bool is_busy_ = false;
  bool is_busy_for_rules_ = false;
  std::uint64_t followed_ns_ = 0;
  std::uint64_t measured_ns_ = 0;
  bool is_peeking_ = false;
  std::uint64_t turn_ns_ = 0;  ///< when the next peek begins, or the present one ends
  std::uint32_t packets_ = 0;
};

}  // namespace dptrace
