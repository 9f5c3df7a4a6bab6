// HookGear chooses when hook functions are probed: always, but for a busy node on which for a while
// no packet that is followed has ended at a netfilter hook in a way that only these probes name the
// function of. There they cost each packet of others dozens of hits. Pure: told the time.
#pragma once

#include <cstdint>

#include "capture/gearbox.hpp"

namespace dptrace {

class HookGear {
 public:
  explicit HookGear(std::uint64_t now_ns) : asked_ns_(now_ns) {}

  /// A packet has ended so.
  void ask(std::uint64_t now_ns) { asked_ns_ = now_ns; }
  bool is_wanted(std::uint64_t now_ns, bool is_busy) const {
    return !is_busy || now_ns - asked_ns_ < Gearbox::kQuietNs;
  }

 private:
  std::uint64_t asked_ns_;
};

}  // namespace dptrace
