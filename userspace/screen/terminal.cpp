#include "screen/terminal.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "os/stop.hpp"
#include "screen/restore.hpp"

namespace dptrace {

namespace {

sigset_t set_of(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

tl::unexpected<Error> failed(const char* what, int error) {
  return failure(fmt::format("showing the display: {}: {} (--once and a pipe show plain tables)",
                             what, std::strerror(error)));
}

bool is_readable(int fd) {
  pollfd wanted{fd, POLLIN, 0};
  return poll(&wanted, 1, 0) > 0;
}

}  // namespace

bool Terminal::is_there() {
  const char* kind = std::getenv("TERM");
  return kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb" &&
         isatty(STDIN_FILENO) != 0 && isatty(STDOUT_FILENO) != 0;
}

Result<std::unique_ptr<Terminal>> Terminal::open() {
  std::unique_ptr<Terminal> terminal(new Terminal);
  if (auto started = terminal->start(); !started) return tl::unexpected<Error>(started.error());
  return terminal;
}

Result<> Terminal::start() {
  sigprocmask(SIG_SETMASK, nullptr, &mask_before_);
  if (tcgetattr(STDIN_FILENO, &before_) != 0) return failed("standard input", errno);
  const sigset_t taken = set_of({SIGTSTP, SIGCONT, SIGWINCH});
  sigprocmask(SIG_BLOCK, &taken, nullptr);
  signals_ = OwnedFd(signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) return failed("signalfd", errno);
  events_ = OwnedFd(epoll_create1(EPOLL_CLOEXEC));
  if (!events_) return failed("epoll", errno);
  for (const int fd : {signals_.get(), STDIN_FILENO}) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed("epoll", errno);
  }
  stop::before_sudden_end(leave_screen);
  keep_restorable(STDIN_FILENO, STDOUT_FILENO, before_);
  enter();
  return {};
}

Terminal::~Terminal() {
  leave_screen();
  stop::before_sudden_end(nullptr);
  forget_restorable();
  sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
}

// Ctrl-C and Ctrl-Z still send their signals; Ctrl-S must not stop the process.
void Terminal::enter() {
  termios raw = before_;
  raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  raw.c_iflag &= ~static_cast<tcflag_t>(IXON);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  enter_screen(raw);
}

// Stops the process as the shell expects it, and takes the terminal again when the user goes on.
void Terminal::suspend() {
  leave_screen();
  const sigset_t stop = set_of({SIGTSTP});
  raise(SIGTSTP);
  sigprocmask(SIG_UNBLOCK, &stop, nullptr);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  enter();
}

void Terminal::take_signals(Input& input) {
  signalfd_siginfo info{};
  while (read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    input.redraw = true;
    if (info.ssi_signo == SIGTSTP) suspend();
    // SIGSTOP cannot be caught, so the shell has taken the terminal meanwhile.
    if (info.ssi_signo == SIGCONT) enter();
  }
}

void Terminal::take_keys(Input& input) {
  std::array<char, 256> bytes{};
  if (!is_readable(STDIN_FILENO)) return;
  const ssize_t length = read(STDIN_FILENO, bytes.data(), bytes.size());
  if (length > 0) input.bytes.assign(bytes.data(), static_cast<std::size_t>(length));
  input.closed = length == 0 || (length < 0 && errno != EINTR && errno != EAGAIN);
}

Terminal::Input Terminal::take_input() {
  Input input;
  take_signals(input);
  take_keys(input);
  return input;
}

ScreenSize Terminal::size() const {
  winsize window{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_col == 0 || window.ws_row == 0) {
    return {};
  }
  return {window.ws_col, window.ws_row};
}

bool Terminal::show(std::string_view frame) { return outlet_.write(frame) == Outlet::End::kNone; }

}  // namespace dptrace
