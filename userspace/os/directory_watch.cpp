#include "os/directory_watch.hpp"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

namespace dptrace {

namespace {

constexpr std::uint32_t kAnyMove = IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_MASK_ADD;
constexpr std::uint32_t kInside =
    IN_CREATE | IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | kAnyMove;
// These events matter in a directory in which the wanted directory, or one on the way to it, may be
// made.
constexpr std::uint32_t kAbove = IN_CREATE | IN_MOVED_TO | kAnyMove;

}  // namespace

DirectoryWatch::DirectoryWatch(std::vector<std::string> paths)
    : paths_(std::move(paths)), inotify_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  watch_all();
}

bool DirectoryWatch::drain() {
  alignas(inotify_event) std::array<char, 4096> events{};
  bool any = false;
  for (;;) {
    const ssize_t length = read(inotify_.get(), events.data(), events.size());
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) break;
    any = true;
  }
  // A watched directory may have gone, and one that was waited for may have come.
  if (any) watch_all();
  return any;
}

void DirectoryWatch::watch_all() {
  std::set<int> now;
  for (const auto& path : paths_) {
    if (const int added = watch(path); added >= 0) now.insert(added);
  }
  for (const int before : watches_) {
    if (!now.contains(before)) inotify_rm_watch(inotify_.get(), before);
  }
  watches_ = std::move(now);
}

int DirectoryWatch::watch(const std::string& path) {
  int before = -1;
  // A directory that was made before its parent was watched is found by another try.
  for (int now = watch_nearest(path); now != before; now = watch_nearest(path)) before = now;
  return before;
}

int DirectoryWatch::watch_nearest(const std::string& path) {
  const std::filesystem::path wanted(path);
  for (auto directory = wanted;; directory = directory.parent_path()) {
    const auto events = directory == wanted ? kInside : kAbove;
    const int added = inotify_add_watch(inotify_.get(), directory.c_str(), events);
    if (added >= 0 || !directory.has_relative_path()) return added;
  }
}

}  // namespace dptrace
