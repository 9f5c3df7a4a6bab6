// A mistyped name is answered with the known name that was probably meant.
#pragma once

#include <cstddef>
#include <string_view>

namespace dptrace {

/// Of the names that are offered, keeps the one that is nearest to a mistyped word.
class NearName {
 public:
  explicit NearName(std::string_view word) : word_(word) {}

  /// `known` has to stay where it is: found() is a part of it.
  void offer(std::string_view known);
  /// Empty when no name is near.
  std::string_view found() const { return found_; }

 private:
  static constexpr std::size_t kMost = 2;    // letters that may differ
  static constexpr std::size_t kEnough = 3;  // letters that may stand for the name that has them

  std::string_view word_;
  std::string_view found_;
  std::size_t best_ = kMost + 1;
};

}  // namespace dptrace
