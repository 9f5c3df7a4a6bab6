// HookGear chooses when hook functions and rules are probed. They always are, except on a busy node
// where for a while no followed packet has ended at a netfilter hook: there the probes cost each
// packet of others dozens of hits. The class is pure: it is told the time.
#pragma once

#include <cstdint>

#include "capture/gearbox.hpp"

namespace dptrace {

class HookGear {
 public:
  explicit HookGear(std::uint64_t now_ns) : asked_ns_(now_ns) {}

  /// Call it when a followed packet has ended at a netfilter hook.
  void ask(std::uint64_t now_ns) { asked_ns_ = now_ns; }
  bool is_wanted(std::uint64_t now_ns, bool is_busy) const {
    return !is_busy || now_ns - asked_ns_ < Gearbox::kQuietNs;
  }

 private:
  std::uint64_t asked_ns_;
};

}  // namespace dptrace
