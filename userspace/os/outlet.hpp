// Bytes to whoever reads a descriptor. A reader that has stopped, as a pager does, is waited for,
// but not beyond the end of the process.
#pragma once

#include <string>
#include <string_view>

#include "os/owned_fd.hpp"

namespace dptrace {

class Outlet {
 public:
  /// `fd` stays its owner's, and open.
  explicit Outlet(int fd);

  enum class End {
    kNone,     ///< all of it was written
    kClosed,   ///< nobody reads any more
    kStopped,  ///< a signal came, and since then nobody has read
    kFailed,   ///< error() tells
  };
  /// Bytes that come after an end are lost, and the first end is told again.
  End write(std::string_view bytes);

  /// An errno.
  int error() const { return error_; }

 private:
  long write_some(std::string_view bytes) const;
  bool wait_for_reader();

  int fd_;
  OwnedFd
      unblocking_;  ///< the same pipe or terminal, opened for itself: O_NONBLOCK is nobody else's
  bool may_block_ = false;
  bool is_socket_ = false;
  End end_ = End::kNone;
  int error_ = 0;
};

/// A line to standard error, with the program's name before it.
void say(std::string_view line);

}  // namespace dptrace
