// While a KeptMemory lives, the allocator keeps what is freed for what is allocated next. The start
// of a capture reads the kernel's BTF (6 MiB) twice, and on a virtual machine a page that is
// touched for the first time costs up to 30 microseconds.
#pragma once

namespace dptrace {

class KeptMemory {
 public:
  /// Touches enough for the start at once, where the kernel can (5.14).
  KeptMemory();
  /// Gives back to the system what is not in use, and lets the allocator do so from now on.
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
};

}  // namespace dptrace
