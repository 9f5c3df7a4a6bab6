// The ring buffer that BPF programs write records into, read from this side.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "capture/skeleton.hpp"
#include "model/result.hpp"

namespace dptrace {

class Ring {
 public:
  /// Takes one record; false stops the reading.
  using Receiver = std::function<bool(std::span<const std::byte>)>;

  static Result<std::unique_ptr<Ring>> open(int map);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Becomes readable when a program thinks it is time.
  int fd() const;
  /// Hands over all records there are.
  Result<> read(const Receiver& receive);

 private:
  Ring() = default;
  static int on_record(void* context, void* data, std::size_t size) noexcept;

  RingBuffer buffer_;
  const Receiver* receiver_ = nullptr;  ///< while reading
  std::string receiver_error_;
};

}  // namespace dptrace
