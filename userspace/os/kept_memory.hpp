// While a KeptMemory exists, the allocator keeps freed memory for later allocations. The start of a
// capture reads the kernel's BTF (6 MiB) twice, and on a virtual machine a page that is touched for
// the first time costs up to 30 microseconds.
#pragma once

namespace dptrace {

class KeptMemory {
 public:
  /// Touches enough pages for the start at once, where the kernel can (5.14).
  KeptMemory();
  /// Gives memory that is not in use back to the system, and lets the allocator do so from now on.
  ~KeptMemory();
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
};

}  // namespace dptrace
