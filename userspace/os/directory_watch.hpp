// DirectoryWatch tells when files come to directories or go from them, also when a directory itself
// does not exist yet.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "os/owned_fd.hpp"

namespace dptrace {

class DirectoryWatch {
 public:
  /// Begins to watch. To miss nothing, start before reading the directories for the first time.
  /// `paths` are absolute.
  explicit DirectoryWatch(std::vector<std::string> paths);

  /// The descriptor becomes readable when something may have changed; -1 when the kernel lets us
  /// watch nothing.
  int fd() const { return inotify_.get(); }
  /// Takes the events that have arrived; false when there are none.
  bool drain();

 private:
  void watch_all();
  int watch(const std::string& path);
  /// Watches the deepest directory that exists on the way to `path`, `path` included.
  int watch_nearest(const std::string& path);

  std::vector<std::string> paths_;
  OwnedFd inotify_;
  std::set<int> watches_;
};

}  // namespace dptrace
