#include "os/outlet.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "os/stop.hpp"

namespace dptrace {

namespace {

// Once the process is to end, a reader that takes nothing at all is waited for this long.
constexpr int kPatienceMs = 400;
// A pipe that is writable takes PIPE_BUF bytes without blocking; a terminal promises less.
constexpr std::size_t kPipeChunk = 4096;
constexpr std::size_t kTerminalChunk = 128;

}  // namespace

Outlet::Outlet(int fd) : fd_(fd) {
  struct stat file {};
  if (fstat(fd, &file) != 0) return;
  is_socket_ = S_ISSOCK(file.st_mode);
  may_block_ = is_socket_ || S_ISFIFO(file.st_mode) || isatty(fd) != 0;
  if (!may_block_ || is_socket_) return;
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  unblocking_ = OwnedFd(open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

Outlet::End Outlet::write(std::string_view bytes) {
  while (end_ == End::kNone && !bytes.empty()) {
    if (may_block_ && !unblocking_ && !wait_for_reader()) break;
    const long written = write_some(bytes);
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EAGAIN) {
      wait_for_reader();
    } else if (errno == EPIPE) {
      end_ = End::kClosed;
    } else if (errno != EINTR) {
      error_ = errno;
      end_ = End::kFailed;
    }
  }
  return end_;
}

long Outlet::write_some(std::string_view bytes) const {
  if (is_socket_) return send(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (unblocking_) return ::write(unblocking_.get(), bytes.data(), bytes.size());
  if (!may_block_) return ::write(fd_, bytes.data(), bytes.size());
  const std::size_t most = isatty(fd_) != 0 ? kTerminalChunk : kPipeChunk;
  return ::write(fd_, bytes.data(), std::min(bytes.size(), most));
}

// Waits until the descriptor is writable. Returns false and sets `end_` when nobody reads after a
// signal.
bool Outlet::wait_for_reader() {
  while (true) {
    const bool stopping = stop::came();
    std::array<pollfd, 2> wanted = {{{fd_, POLLOUT, 0}, {stopping ? -1 : stop::fd(), POLLIN, 0}}};
    const int ready = poll(wanted.data(), wanted.size(), stopping ? kPatienceMs : -1);
    if (ready > 0 && wanted[0].revents != 0) return true;  // the next write tells of an error
    if (ready == 0) {
      end_ = End::kStopped;
      return false;
    }
  }
}

void say(std::string_view line) {
  static Outlet outlet(STDERR_FILENO);
  outlet.write("dptrace: " + std::string(line) + '\n');
}

}  // namespace dptrace
