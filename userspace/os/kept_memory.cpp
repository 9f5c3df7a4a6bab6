#include "os/kept_memory.hpp"

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace dptrace {

namespace {

constexpr int kLarge = 64 << 20;
constexpr int kUsual = 128 << 10;  // the default of glibc
// This is enough for the raw BTF, the offsets of its types, and the BPF object.
constexpr std::size_t kTouched = 12U << 20;

#ifndef MADV_POPULATE_WRITE
constexpr int MADV_POPULATE_WRITE = 23;
#endif

}  // namespace

KeptMemory::KeptMemory() {
  mallopt(M_MMAP_THRESHOLD, kLarge);
  mallopt(M_TRIM_THRESHOLD, kLarge);
  void* memory = std::malloc(kTouched);
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto begin = (reinterpret_cast<std::uintptr_t>(memory) + page - 1) & ~(page - 1);
  if (memory != nullptr)
    madvise(reinterpret_cast<void*>(begin), kTouched - page, MADV_POPULATE_WRITE);
  std::free(memory);
}

KeptMemory::~KeptMemory() {
  mallopt(M_MMAP_THRESHOLD, kUsual);
  mallopt(M_TRIM_THRESHOLD, kUsual);
  malloc_trim(0);
}

}  // namespace dptrace
