#include "screen/restore.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace dptrace {

namespace {

// These enter the alternate screen with the cursor saved and hidden, and leave it again.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";

// These are the signals that end a process by default, except SIGKILL, and SIGPIPE, which is
// ignored.
constexpr std::array kEndings = {SIGHUP,  SIGINT,    SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                                 SIGFPE,  SIGUSR1,   SIGSEGV, SIGUSR2, SIGALRM, SIGTERM, SIGXCPU,
                                 SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSYS};

// A signal handler can use globals only.
struct {
  int input = -1;
  int output = -1;
  termios before{};
  std::array<struct sigaction, kEndings.size()> actions{};
} restorable;
std::atomic<bool> entered = false;
static_assert(std::atomic<bool>::is_always_lock_free);

void write_all(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(restorable.output, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return;  // the terminal is gone
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

bool is_read() {
  constexpr int kPatienceMs = 200;
  pollfd output{restorable.output, POLLOUT, 0};
  return poll(&output, 1, kPatienceMs) == 1 && (output.revents & POLLOUT) != 0;
}

// While this process is in the background, the terminal is as the shell wants it. A terminal that
// is not our controlling terminal is in use by no other job.
bool is_ours() {
  const pid_t foreground = tcgetpgrp(restorable.input);
  return foreground < 0 || foreground == getpgrp();
}

// The handler runs with the signal blocked and its default action back in place (SA_RESETHAND), so
// a signal that is raised again ends the process as it would have.
void on_ending(int signal) {
  leave_screen();
  raise(signal);
}

}  // namespace

void keep_restorable(int input, int output, const termios& before) {
  restorable.input = input;
  restorable.output = output;
  restorable.before = before;
  static const int registered = std::atexit(leave_screen);
  static_cast<void>(registered);
  struct sigaction action {};
  action.sa_handler = on_ending;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kEndings.size(); ++i) {
    sigaction(kEndings[i], nullptr, &restorable.actions[i]);
    // A handler of another library (a sanitizer's) tells more than ours would, and an ignored
    // signal ends nothing.
    if (restorable.actions[i].sa_handler == SIG_DFL) sigaction(kEndings[i], &action, nullptr);
  }
}

void enter_screen(const termios& settings) {
  const bool was_entered = entered.exchange(true);
  tcsetattr(restorable.input, TCSADRAIN, &settings);
  // Entering twice would save the cursor's place twice.
  if (!was_entered) write_all(kEnter);
}

void leave_screen() {
  if (!entered.exchange(false)) return;
  const int error = errno;
  if (is_ours()) {
    // A terminal that nobody reads, or that is halted, must not hold up the end.
    const bool takes_text = is_read();
    if (takes_text) write_all(kLeave);
    tcsetattr(restorable.input, takes_text ? TCSADRAIN : TCSANOW, &restorable.before);
  }
  errno = error;
}

void forget_restorable() {
  for (std::size_t i = 0; i < kEndings.size(); ++i) {
    sigaction(kEndings[i], &restorable.actions[i], nullptr);
  }
}

}  // namespace dptrace
