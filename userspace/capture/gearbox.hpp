// Gearbox chooses the gear. It is the highest but for a busy node on which nothing has been
// followed for a while: there the probes would cost every packet of others something, and tell
// nothing. Pure: told the time, the kernel's count of packets and what is followed.
#pragma once

#include <cstdint>

#include "capture/gear.hpp"

namespace dptrace {

class Gearbox {
 public:
  /// From so many packets a second on the families would be felt: at 0.6 µs for each packet, what
  /// they take is about one per cent of a CPU.
  static constexpr std::uint64_t kBusy = 20'000;
  static constexpr std::uint64_t kQuietNs = 30'000'000'000;
  /// The count of packets is asked for so often by who is awake. An idle node is woken for it only
  /// once in kQuietNs: no sooner could it be let go of anything.
  static constexpr std::uint64_t kMeasureNs = 5'000'000'000;
  /// In the lowest gear all devices are watched for kPeekNs once in kPeekEveryNs, for packets that
  /// pass no doorbell. A twentieth of what watching costs is less than a per cent of a packet.
  static constexpr std::uint64_t kPeekEveryNs = 10'000'000'000;
  static constexpr std::uint64_t kPeekNs = 500'000'000;

  /// `busy`: packets a second; 0: the node is never busy, and all stays attached.
  explicit Gearbox(std::uint64_t busy) : busy_(busy) {}

  /// Something is followed: everything is wanted.
  void follow(std::uint64_t now_ns);
  /// Is it time for measure()?
  bool is_due(std::uint64_t now_ns) const {
    return busy_ != 0 && now_ns - measured_ns_ >= kMeasureNs;
  }
  /// `packets`: the node's, a count that wraps around.
  void measure(std::uint64_t now_ns, std::uint32_t packets);

  /// Do doorbells decide now whether the lowest gear may be used? To be asked after measure().
  bool wants_doorbells() const { return !armed_; }
  /// Whether each packet of the asked-for pods rings one.
  void set_doorbells(std::uint64_t now_ns, bool all_there);
  bool has_doorbells() const { return has_doorbells_; }

  Gear gear(std::uint64_t now_ns);
  /// When gear() or measure() is to be called though nothing has come; UINT64_MAX: never.
  std::uint64_t wakes_ns() const;
  /// By what was measured last. It goes back at half the rate: a node at the edge shall not shift
  /// all the time.
  bool is_busy() const { return is_busy_; }

 private:
  std::uint64_t busy_;
  bool armed_ = true;
  bool has_doorbells_ = false;
  bool is_busy_ = false;
  std::uint64_t followed_ns_ = 0;
  std::uint64_t measured_ns_ = 0;
  bool is_peeking_ = false;
  std::uint64_t turn_ns_ = 0;  ///< when a peek begins, or the one that is on ends
  std::uint32_t packets_ = 0;
};

}  // namespace dptrace
