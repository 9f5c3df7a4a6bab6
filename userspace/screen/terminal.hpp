// Terminal makes the terminal a screen of its own: alternate screen, no cursor, keys as they are
// pressed. It restores the terminal however the process ends, except after SIGKILL, when nothing
// can (`reset` helps).
#pragma once

#include <termios.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "model/result.hpp"
#include "os/outlet.hpp"
#include "os/owned_fd.hpp"
#include "screen/frame.hpp"

namespace dptrace {

class Terminal {
 public:
  /// Takes standard input and output, which must be a terminal. While the object exists, SIGTSTP,
  /// SIGCONT and SIGWINCH are blocked and read by take_input(). Signals that end the process
  /// restore the terminal first, unless the caller has blocked or taken them. Threads that were
  /// started before would receive signals that take_input() then misses. There can be one object at
  /// a time.
  static Result<std::unique_ptr<Terminal>> open();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal();

  /// The descriptor becomes readable when take_input() has something.
  int fd() const { return events_.get(); }

  struct Input {
    std::string bytes;    ///< bytes of keys
    bool redraw = false;  ///< the size may have changed, or the screen was left meanwhile
    bool closed = false;  ///< the terminal is gone
  };
  /// Takes the input that has come, without waiting. After SIGTSTP it returns when the user goes
  /// on.
  Input take_input();

  ScreenSize size() const;
  /// Shows a frame; false when the terminal is gone.
  bool show(std::string_view frame);

  /// True when standard input and output are a terminal that can be a screen.
  static bool is_there();

 private:
  Terminal() = default;
  Result<> start();
  void enter();
  void suspend();
  void take_signals(Input& input);
  void take_keys(Input& input);

  Outlet outlet_{STDOUT_FILENO};
  OwnedFd signals_;
  OwnedFd events_;  ///< epoll of keys and signals
  sigset_t mask_before_{};
  termios before_{};
};

}  // namespace dptrace
