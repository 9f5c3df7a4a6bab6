#include "capture/gearbox.hpp"

namespace dptrace {

void Gearbox::follow(std::uint64_t now_ns) {
  followed_ns_ = now_ns;
  armed_ = true;
}

void Gearbox::measure(std::uint64_t now_ns, std::uint32_t packets) {
  const bool is_first = measured_ns_ == 0;
  const std::uint64_t passed_ns = now_ns - measured_ns_;
  const std::uint32_t passed = packets - packets_;
  measured_ns_ = now_ns;
  packets_ = packets;
  if (is_first) {
    if (followed_ns_ == 0) followed_ns_ = now_ns;
    return;
  }
  // Less than before: a CPU has gone, and its count with it.
  if (passed > UINT32_MAX / 2) return;
  const double rate = static_cast<double>(passed) * 1e9 / static_cast<double>(passed_ns);
  const auto busy = static_cast<double>(busy_);
  // Half of it is where it goes back: a node at the edge shall not shift all the time.
  if (armed_ && rate >= busy && now_ns - followed_ns_ >= kQuietNs) armed_ = false;
  if (!armed_ && rate < busy / 2) armed_ = true;
}

}  // namespace dptrace
