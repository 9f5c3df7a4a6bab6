// KernelVersion is the release of the running kernel. It is for messages only: what the kernel can
// do is found out by asking it.
#pragma once

#include <compare>
#include <string>
#include <string_view>

namespace dptrace {

struct KernelVersion {
  int version = 0;
  int patchlevel = 0;

  auto operator<=>(const KernelVersion&) const = default;
};

inline constexpr KernelVersion kOldestKernel = {5, 10};

/// The release as uname() tells it, `6.1.0-13-amd64`.
std::string kernel_release();

/// 0.0 when `release` does not begin with two numbers.
KernelVersion parse_kernel_version(std::string_view release);

/// A sentence for the user when `release` is known to be below 5.10, else empty.
std::string too_old(std::string_view release);

}  // namespace dptrace
