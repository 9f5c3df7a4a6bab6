// Ring reads the ring buffer that BPF programs write records into.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "model/result.hpp"
#include "os/mapping.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// Unlike libbpf's reader, Ring maps the records once, not twice, which halves the memory that
/// dptrace is seen to use; and read() ends although the programs go on writing.
class Ring {
 public:
  /// A receiver takes one record, which is valid until the receiver returns; false stops the
  /// reading.
  using Receiver = std::function<bool(std::span<const std::byte>)>;

  /// Opens the ring of a BPF_MAP_TYPE_RINGBUF map, which must outlive the Ring.
  static Result<std::unique_ptr<Ring>> open(int map);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// The descriptor becomes readable when a program thinks it is time, not with every record.
  int fd() const { return wake_ups_.get(); }
  /// Returns whether there is nothing to be read.
  bool empty() const;
  /// Hands over the records that there were when it was called, up to one that is still being
  /// written.
  void read(const Receiver& receive);

 private:
  Ring(OwnedFd wake_ups, std::size_t size, Mapping consumer, Mapping producer);
  std::span<const std::byte> record(std::uint64_t position, std::size_t size);

  OwnedFd wake_ups_;  ///< epoll, edge-triggered
  std::size_t size_;  ///< bytes of the records' area, a power of two
  Mapping consumer_;  ///< a page that begins with the position up to which records were read
  Mapping producer_;  ///< a page that begins with the position up to which room was reserved; the
                      ///< records
  const std::byte* records_;
  std::vector<std::byte> joined_;  ///< a copy of a record whose end is at the beginning of the area
};

}  // namespace dptrace
