#include "os/stop.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <string_view>

#include "os/clock.hpp"

namespace dptrace::stop {

namespace {

constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
// timeout(1) and service managers signal the process and then its group. A second signal within
// this time is the echo of the first.
constexpr std::int64_t kEchoNs = 100'000'000;

// A signal handler can use globals only.
std::atomic<int> event = -1;
std::atomic<bool> in_order = false;
std::atomic<std::int64_t> first_ns = 0;  // time of the first signal; 0: none yet
std::atomic<void (*)()> last_call = nullptr;

// The text is lost when nobody reads it, because the end of the process must not wait.
void say_ended_while_starting() {
  constexpr std::string_view kText = "dptrace: ended by a signal before it had begun\n";
  pollfd standard_error{STDERR_FILENO, POLLOUT, 0};
  if (poll(&standard_error, 1, 0) == 1 && (standard_error.revents & POLLOUT) != 0)
    (void)!write(STDERR_FILENO, kText.data(), kText.size());
}

void on_signal(int signal) {
  const int error = errno;
  if (!in_order) {
    if (auto* const call = last_call.load()) call();
    say_ended_while_starting();
    _exit(0);
  }
  const std::int64_t now = clock_ns(CLOCK_MONOTONIC);
  std::int64_t first = 0;
  if (first_ns.compare_exchange_strong(first, now)) {
    eventfd_write(event, 1);
  } else if (now - first > kEchoNs) {
    if (auto* const call = last_call.load()) call();
    std::signal(signal, SIG_DFL);
    raise(signal);  // delivered when this returns
  }
  errno = error;
}

}  // namespace

void take_signals() {
  event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  in_order = false;
  first_ns = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  // While the handler runs, the other signals of these are blocked.
  for (const int signal : kSignals) sigaddset(&action.sa_mask, signal);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

void end_in_order() { in_order = true; }

int fd() { return event; }

bool came() { return first_ns != 0; }

void before_sudden_end(void (*call)()) { last_call = call; }

}  // namespace dptrace::stop
