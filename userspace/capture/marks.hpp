// Marks fades the marks that the BPF programs leave on skbs of ours (bpf/lib/marks.bpf.h) and on
// what NAT has made of their packets (bpf/lib/translated.bpf.h).
#pragma once

#include <cstdint>
#include <span>

namespace dptrace {

class Marks {
 public:
  Marks(std::span<std::uint32_t> skbs, std::span<std::uint8_t> translated)
      : skbs_(skbs), translated_(translated) {}

  /// Call it now and then, with CLOCK_MONOTONIC. A mark is kept for `period_ns` at least and twice
  /// that at most.
  void fade(std::uint64_t now_ns, std::uint64_t period_ns);

 private:
  std::span<std::uint32_t> skbs_;
  std::span<std::uint8_t> translated_;
  std::uint64_t faded_ns_ = 0;
};

}  // namespace dptrace
