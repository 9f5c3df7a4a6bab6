// DirectoryWatch tells when files come to directories or go from them, also where a directory is
// itself still to come.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "os/owned_fd.hpp"

namespace dptrace {

class DirectoryWatch {
 public:
  /// Watches from now on: to miss nothing, start before the first look. `paths` are absolute.
  explicit DirectoryWatch(std::vector<std::string> paths);

  /// Becomes readable when something may have changed; -1: the kernel lets us watch nothing.
  int fd() const { return inotify_.get(); }
  /// Takes what has arrived. False: nothing.
  bool drain();

 private:
  void watch_all();
  int watch(const std::string& path);
  /// Of those on the way to it, itself included, the last one that is there.
  int watch_nearest(const std::string& path);

  std::vector<std::string> paths_;
  OwnedFd inotify_;
  std::set<int> watches_;
};

}  // namespace dptrace
