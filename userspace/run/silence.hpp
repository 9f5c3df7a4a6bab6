// Silence says, once, that nothing of the asked-for addresses came for a while, and what to check.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"

namespace dptrace {

class Silence {
 public:
  static constexpr std::uint64_t kPatienceNs = 10'000'000'000;

  /// Times are of CLOCK_MONOTONIC.
  explicit Silence(std::uint64_t start_ns) : due_ns_(start_ns + kPatienceNs) {}

  /// The words to say; nothing before it is time, after something came, and once they were said.
  /// `pods` has the names of the node's pods by address; `is_filtered`: other filters were given.
  std::optional<std::string> words(std::uint64_t now_ns, bool something_came,
                                   const std::vector<Address>& asked_for,
                                   const std::map<Address, std::string>& pods, bool is_filtered);
  /// The time until words() may have some; the longest time when it has none any more.
  std::chrono::milliseconds left(std::uint64_t now_ns) const;

 private:
  std::uint64_t due_ns_;
  bool is_over_ = false;
};

}  // namespace dptrace
