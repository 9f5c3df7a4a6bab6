// Mapping owns a mapping of the kernel's memory.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <utility>

namespace dptrace {

class Mapping {
 public:
  /// A shared mapping of `size` bytes. Empty on failure; errno tells why.
  static Mapping of(int fd, std::size_t size, int protection, std::size_t offset) {
    void* address = mmap(nullptr, size, protection, MAP_SHARED, fd, static_cast<off_t>(offset));
    return address == MAP_FAILED ? Mapping() : Mapping(address, size);
  }
  Mapping() = default;
  Mapping(Mapping&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)), size_(other.size_) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(address_, other.address_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Mapping() {
    if (address_ != nullptr) munmap(address_, size_);
  }

  explicit operator bool() const { return address_ != nullptr; }
  std::byte* data() const { return static_cast<std::byte*>(address_); }

 private:
  Mapping(void* address, std::size_t size) : address_(address), size_(size) {}

  void* address_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace dptrace
