// When the families of Gear::kArmed are attached: always, but for a busy node on which nothing has
// been followed for a while. There they would cost every packet of others something, and tell
// nothing. Pure: told the time and the kernel's count of packets.
#pragma once

#include <cstdint>

namespace dptrace {

class Gearbox {
 public:
  /// From so many packets a second on the families would be felt: at 0.6 µs for each packet, what
  /// they take is about one per cent of a CPU.
  static constexpr std::uint64_t kBusy = 20'000;
  static constexpr std::uint64_t kQuietNs = 30'000'000'000;
  /// The count of packets is asked for so often.
  static constexpr std::uint64_t kMeasureNs = 5'000'000'000;

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

  bool is_armed() const { return armed_; }
  /// By what was measured last. It goes back at half the rate: a node at the edge shall not shift
  /// all the time.
  bool is_busy() const { return is_busy_; }

 private:
  std::uint64_t busy_;
  bool armed_ = true;
  bool is_busy_ = false;
  std::uint64_t followed_ns_ = 0;
  std::uint64_t measured_ns_ = 0;
  std::uint32_t packets_ = 0;
};

}  // namespace dptrace
