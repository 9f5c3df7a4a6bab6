// Signals meet a process of their own: what they do is the end of it.
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>

#include "os/stop.hpp"

using namespace dptrace;

namespace {

constexpr int kEndedByItself = 77;

template <typename Body>
int status_of(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    stop::take_signals();
    body();
    _exit(kEndedByItself);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return status;
}

}  // namespace

TEST_CASE("a signal while starting ends the process, with success") {
  const int status = status_of([] { raise(SIGTERM); });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("once everything is attached, the first signal asks for an end in order") {
  const int status = status_of([] {
    stop::end_in_order();
    if (stop::came()) _exit(1);
    raise(SIGINT);
    pollfd wanted{stop::fd(), POLLIN, 0};
    if (!stop::came() || poll(&wanted, 1, 0) != 1) _exit(2);
  });
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == kEndedByItself);
}

TEST_CASE("a second signal ends the process where it is, after its last call") {
  static int ends[2];
  REQUIRE(pipe(ends) == 0);
  const int status = status_of([] {
    stop::end_in_order();
    stop::before_sudden_end([] { (void)!write(ends[1], "x", 1); });
    raise(SIGINT);
    usleep(200'000);  // what comes with the first one is the same request
    raise(SIGTERM);
  });
  close(ends[1]);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGTERM);
  char called = 0;
  CHECK(read(ends[0], &called, 1) == 1);
  close(ends[0]);
}
