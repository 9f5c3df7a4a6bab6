// SpareMemory gives back to the kernel what the allocator keeps between allocations.
#pragma once

#include <cstdint>

namespace dptrace {

class SpareMemory {
 public:
  /// A command that runs for weeks calls this now and then, and it gives memory back once in
  /// kEveryNs: pages come free amid others that are in use when pods end and tables are made anew.
  /// `now_ns` is a time of CLOCK_MONOTONIC.
  void give_back(std::uint64_t now_ns);

 private:
  static constexpr std::uint64_t kEveryNs = 5'000'000'000;

  std::uint64_t next_ns_ = 0;
};

}  // namespace dptrace
