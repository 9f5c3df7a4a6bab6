// StrangeDirectory is a directory to which others write. Whatever they put there, reading it takes
// bounded time and memory, and touches nothing outside of the directory.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "os/owned_fd.hpp"

namespace dptrace {

class StrangeDirectory {
 public:
  /// Nothing when `path` is no directory, or cannot be read.
  static std::optional<StrangeDirectory> open(const std::string& path);

  /// The names of at most `most` entries, in no order.
  std::vector<std::string> names(std::size_t most) const;
  /// The status of a regular file in the directory's own mount; nothing for everything else, also
  /// for links.
  std::optional<struct stat> look_at(const std::string& name) const;
  /// The whole text of such a file; nothing also when it is longer than `most` bytes. Never waits.
  std::optional<std::string> read(const std::string& name, std::size_t most) const;

 private:
  explicit StrangeDirectory(OwnedFd fd) : fd_(std::move(fd)), mount_(mount_of(fd_.get(), "")) {}
  static std::uint64_t mount_of(int fd, const char* name);
  /// True for a regular file in the directory's own mount. `status` is that of the entry `name` of
  /// `fd`, or of `fd` itself.
  bool is_one_of_ours(const struct stat& status, int fd, const char* name) const;

  OwnedFd fd_;
  std::uint64_t mount_;
};

}  // namespace dptrace
