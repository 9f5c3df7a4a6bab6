#include "node/kernel_version.hpp"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <charconv>

namespace dptrace {

std::string kernel_release() {
  utsname names{};
  return uname(&names) == 0 ? names.release : "";
}

KernelVersion parse_kernel_version(std::string_view release) {
  KernelVersion parsed;
  const char* end = release.data() + release.size();
  const auto first = std::from_chars(release.data(), end, parsed.version);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return {};
  const auto second = std::from_chars(first.ptr + 1, end, parsed.patchlevel);
  return second.ec == std::errc() ? parsed : KernelVersion{};
}

std::string too_old(std::string_view release) {
  const auto running = parse_kernel_version(release);
  if (running == KernelVersion{} || running >= kOldestKernel) return {};
  return fmt::format("kernel {} is too old (below {}.{})", release, kOldestKernel.version,
                     kOldestKernel.patchlevel);
}

}  // namespace dptrace
