// Outlet writes bytes to whoever reads a descriptor. A reader that has stopped, as a pager does, is
// waited for, but not beyond the end of the process.
#pragma once

#include <string>
#include <string_view>

#include "os/owned_fd.hpp"

namespace dptrace {

class Outlet {
 public:
  /// `fd` keeps its owner, and is not closed.
  explicit Outlet(int fd);

  enum class End {
    kNone,     ///< all bytes were written
    kClosed,   ///< nobody reads any more
    kStopped,  ///< a signal came, and since then nobody has read
    kFailed,   ///< writing failed; error() tells why
  };
  /// Writes bytes. After an end they are lost, and the first end is returned again.
  End write(std::string_view bytes);

  /// The errno of kFailed.
  int error() const { return error_; }

 private:
  long write_some(std::string_view bytes) const;
  bool wait_for_reader();

  int fd_;
  OwnedFd unblocking_;  ///< the pipe or terminal, opened anew: O_NONBLOCK is ours alone
  bool may_block_ = false;
  bool is_socket_ = false;
  End end_ = End::kNone;
  int error_ = 0;
};

/// Writes a line to standard error, with the program's name before it.
void say(std::string_view line);

}  // namespace dptrace
