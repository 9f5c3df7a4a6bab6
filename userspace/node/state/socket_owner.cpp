#include "node/state/socket_owner.hpp"

#include <dirent.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <fstream>
#include <memory>
#include <string_view>

#include "model/foreign.hpp"
#include "os/clock.hpp"
#include "os/deleter.hpp"

namespace dptrace {

namespace {

// An explanation is to be there within 50 ms, whatever the processes of a node have open, and
// however many sockets are asked about: a thread has this for all its searches. Each visit to a
// netns has a thread of its own.
constexpr std::uint64_t kMostNs = 40'000'000;
thread_local std::uint64_t spent_ns = 0;

using Directory = std::unique_ptr<DIR, Deleter<closedir>>;

// The target of a link of /proc, such as `net:[4026531840]`; empty: the process is gone.
std::string target_of(const std::string& link) {
  std::array<char, 64> target{};
  const ssize_t length = readlink(link.c_str(), target.data(), target.size());
  return length > 0 ? std::string(target.data(), static_cast<std::size_t>(length)) : std::string();
}

bool is_number(std::string_view name) {
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) != 0;
}

// Calls `visit` with each entry that is a number, until it returns false.
template <typename Visit>
void for_each_number(const std::string& path, Visit visit) {
  const Directory directory(opendir(path.c_str()));
  if (!directory) return;
  while (const dirent* entry = readdir(directory.get())) {
    if (is_number(entry->d_name) && !visit(std::string(entry->d_name))) return;
  }
}

std::string program_of(const std::string& process) {
  std::ifstream file(process + "/comm");
  std::string name;
  std::getline(file, name);
  return clean_name(name);
}

}  // namespace

std::vector<std::string> socket_owners(std::uint64_t inode, std::size_t most) {
  std::vector<std::string> owners;
  const std::string netns = target_of("/proc/thread-self/ns/net");
  if (inode == 0 || netns.empty() || spent_ns >= kMostNs) return owners;
  const std::string socket = fmt::format("socket:[{}]", inode);
  const std::uint64_t begun_ns = monotonic_ns();
  const std::uint64_t until_ns = begun_ns + kMostNs - spent_ns;
  const auto is_time_left = [&] { return monotonic_ns() < until_ns; };
  for_each_number("/proc", [&](const std::string& pid) {
    const std::string process = "/proc/" + pid;
    if (target_of(process + "/ns/net") != netns) return is_time_left();
    bool has_it = false;
    for_each_number(process + "/fd", [&](const std::string& fd) {
      has_it = target_of(process + "/fd/" + fd) == socket;
      return !has_it && is_time_left();
    });
    if (has_it) owners.push_back(fmt::format("{} (pid {})", program_of(process), pid));
    return owners.size() < most && is_time_left();
  });
  spent_ns += monotonic_ns() - begun_ns;
  return owners;
}

}  // namespace dptrace
