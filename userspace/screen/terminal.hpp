// The terminal as a screen of its own: alternate screen, no cursor, keys as they are pressed; as it
// was before, however the process ends. (After SIGKILL nothing can: `reset` helps.)
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
  /// Takes standard input and output, which must be a terminal. While it lives, SIGTSTP, SIGCONT
  /// and SIGWINCH are blocked and read by take_input(); signals that end the process bring the
  /// terminal back first, unless the caller has blocked or taken them. Threads that were started
  /// before would take signals past it. One at a time.
  static Result<std::unique_ptr<Terminal>> open();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal();

  /// Becomes readable when take_input() has something.
  int fd() const { return events_.get(); }

  struct Input {
    std::string bytes;    ///< of keys
    bool redraw = false;  ///< the size may be another, or the screen was left meanwhile
    bool closed = false;  ///< nobody is there any more
  };
  /// Takes the input that has come, without waiting. Returns from within SIGTSTP when the user goes
  /// on.
  Input take_input();

  ScreenSize size() const;
  /// False when nobody is there any more.
  bool show(std::string_view frame);

  /// Is there a terminal at both, that can be a screen?
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
  OwnedFd events_;  ///< epoll of both
  sigset_t mask_before_{};
  termios before_{};
};

}  // namespace dptrace
