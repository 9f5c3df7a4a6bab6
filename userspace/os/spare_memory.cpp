#include "os/spare_memory.hpp"

#include <malloc.h>

namespace dptrace {

void SpareMemory::give_back(std::uint64_t now_ns) {
  if (now_ns < next_ns_) return;
  next_ns_ = now_ns + kEveryNs;
  malloc_trim(0);
}

}  // namespace dptrace
