// Deleter lets a std::unique_ptr own an object that a C library frees by a function of its own.
#pragma once

namespace dptrace {

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

}  // namespace dptrace
