#include "capture/ring.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <exception>

namespace dptrace {

Result<std::unique_ptr<Ring>> Ring::open(int map) {
  std::unique_ptr<Ring> ring(new Ring);
  ring->buffer_.reset(ring_buffer__new(map, &Ring::on_record, ring.get(), nullptr));
  if (!ring->buffer_) {
    return failure(fmt::format("mapping the ring buffer: {}", std::strerror(errno)));
  }
  return ring;
}

int Ring::fd() const { return ring_buffer__epoll_fd(buffer_.get()); }

int Ring::on_record(void* context, void* data, std::size_t size) noexcept {
  auto& ring = *static_cast<Ring*>(context);
  // Nothing may throw through libbpf.
  try {
    return (*ring.receiver_)({static_cast<const std::byte*>(data), size}) ? 0 : -ECANCELED;
  } catch (const std::exception& error) {
    ring.receiver_error_ = error.what();
    return -EIO;
  }
}

Result<> Ring::read(const Receiver& receive) {
  receiver_ = &receive;
  const int consumed = ring_buffer__consume(buffer_.get());
  receiver_ = nullptr;
  if (!receiver_error_.empty()) return failure(receiver_error_);
  if (consumed < 0 && consumed != -ECANCELED) {
    return failure(fmt::format("reading the ring buffer: {}", std::strerror(-consumed)));
  }
  return {};
}

}  // namespace dptrace
