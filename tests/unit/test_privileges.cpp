// What a thread has given up it cannot get back; the others keep what they have.
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <fstream>
#include <string>

#include "os/privileges.hpp"

using namespace dptrace;

namespace {

std::uint64_t effective() {
  std::ifstream status("/proc/thread-self/status");
  std::string word;
  while (status >> word && word != "CapEff:") {
  }
  status >> word;
  return std::stoull(word, nullptr, 16);
}

// In a thread of its own, which ends with what it has given up. Not a std::thread: to look at its
// virtual functions, the sanitizer makes a pipe, which such a thread may not.
template <typename Body>
void in_thread(Body body) {
  pthread_t thread;
  const auto run = [](void* given) -> void* {
    (*static_cast<Body*>(given))();
    return nullptr;
  };
  REQUIRE(pthread_create(&thread, nullptr, run, &body) == 0);
  REQUIRE(pthread_join(thread, nullptr) == 0);
}

}  // namespace

TEST_CASE("capabilities that are given up are the thread's own") {
  const std::uint64_t before = effective();
  std::uint64_t kept = ~0ULL, then = ~0ULL;
  in_thread([&] {
    REQUIRE(keep_capabilities({CAP_SYSLOG, CAP_SYS_ADMIN}));
    kept = effective();
    REQUIRE(keep_capabilities({CAP_SYSLOG, CAP_NET_ADMIN}));
    then = effective();
  });
  CHECK(kept == (before & (1ULL << CAP_SYSLOG | 1ULL << CAP_SYS_ADMIN)));
  CHECK(then == (before & 1ULL << CAP_SYSLOG));
  CHECK(effective() == before);
}

TEST_CASE("a thread that serves opens, starts and runs nothing new") {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  struct {
    bool confined = false;
    int file = 0, socket = 0, process = 0, page = 0, file_error = 0, page_error = 0;
    std::size_t memory = 0;
    ssize_t written = 0;
  } seen;
  in_thread([&] {
    seen.confined = confine_to_serving().has_value();
    seen.file = open("/etc/passwd", O_RDONLY);
    seen.file_error = errno;
    seen.socket = socket(AF_INET, SOCK_STREAM, 0);
    seen.process = fork();
    if (seen.process == 0) _exit(0);
    void* page =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    seen.page = page == MAP_FAILED ? -1 : 0;
    seen.page_error = errno;
    seen.memory = std::string(1 << 24, 'x').size();
    seen.written = write(pipes[1], "x", 1);
  });
  CHECK(seen.confined);
  CHECK(seen.file == -1);
  CHECK(seen.file_error == EPERM);
  CHECK(seen.socket == -1);
  CHECK(seen.process == -1);
  CHECK(seen.page == -1);
  CHECK(seen.page_error == EPERM);
  CHECK(seen.memory == 1 << 24);
  CHECK(seen.written == 1);
  const int file = open("/etc/passwd", O_RDONLY);
  CHECK(file >= 0);
  for (const int fd : {file, pipes[0], pipes[1]}) close(fd);
}
