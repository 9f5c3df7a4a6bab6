#include "node/rules/xt_save.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "os/clock.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// Twenty thousand rules are five megabytes.
constexpr std::size_t kMost = 32U << 20;
constexpr std::uint64_t kPatienceNs = 20'000'000'000;

constexpr std::array<const char*, 2> kFolders = {"/usr/sbin", "/sbin"};

std::string find_program(std::uint8_t family) {
  const char* name = family == NFPROTO_IPV6 ? "ip6tables-legacy-save" : "iptables-legacy-save";
  for (const char* folder : kFolders) {
    auto path = fmt::format("{}/{}", folder, name);
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return {};
}

// A Child is a process that is gone with its owner.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    wait();
  }

  /// Returns whether it has ended well.
  bool wait() {
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

 private:
  pid_t pid_;
};

pid_t spawn(const std::string& program, const std::string& table, int output) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::array<const char*, 4> arguments = {program.c_str(), "-t", table.c_str(), nullptr};
  std::array<const char*, 2> environment = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", nullptr};
  pid_t pid = -1;
  const int error = posix_spawn(&pid, program.c_str(), &actions, nullptr,
                                const_cast<char* const*>(arguments.data()),
                                const_cast<char* const*>(environment.data()));
  posix_spawn_file_actions_destroy(&actions);
  errno = error;
  return error == 0 ? pid : -1;
}

// Returns all that is written, unless it is too much or takes too long.
Result<std::string> read_all(int fd) {
  std::string text;
  std::array<char, 65536> buffer{};
  const std::uint64_t until = monotonic_ns() + kPatienceNs;
  for (;;) {
    pollfd waiting{fd, POLLIN, 0};
    if (monotonic_ns() > until || text.size() > kMost)
      return failure("it says too much or nothing");
    if (poll(&waiting, 1, 500) <= 0) continue;
    const auto got = read(fd, buffer.data(), buffer.size());
    if (got == 0) return text;
    if (got < 0 && errno != EINTR) return failure(std::strerror(errno));
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

SavedChains parse_saved(std::string_view saved) {
  SavedChains chains;
  while (!saved.empty()) {
    auto line = saved.substr(0, saved.find('\n'));
    saved.remove_prefix(std::min(saved.size(), line.size() + 1));
    constexpr std::string_view kAppend = "-A ";
    if (!line.starts_with(kAppend)) continue;
    line.remove_prefix(kAppend.size());
    const auto chain = line.substr(0, line.find(' '));
    line.remove_prefix(std::min(line.size(), chain.size() + 1));
    auto found = chains.find(chain);
    if (found == chains.end()) found = chains.emplace(chain, std::vector<std::string>()).first;
    found->second.emplace_back(line);
  }
  return chains;
}

bool can_save_xtables(std::uint8_t family) { return !find_program(family).empty(); }

Result<SavedChains> save_xtables(std::uint8_t family, const std::string& table) {
  const auto program = find_program(family);
  if (program.empty()) return failure("iptables-legacy-save is not installed");
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return failure(fmt::format("a pipe: {}", std::strerror(errno)));
  const OwnedFd output(ends[0]);
  OwnedFd input(ends[1]);
  const pid_t pid = spawn(program, table, input.get());
  if (pid < 0) return failure(fmt::format("{}: {}", program, std::strerror(errno)));
  Child child(pid);
  input = OwnedFd();
  auto text = read_all(output.get());
  if (!text) return failure(fmt::format("{}: {}", program, text.error().message));
  if (!child.wait()) return failure(fmt::format("{} failed", program));
  return parse_saved(*text);
}

}  // namespace dptrace
