// A directory that others write to: whatever they put there, looking into it takes bounded time and
// memory, and touches nothing outside of it.
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
  /// Nothing: it is none, or cannot be read.
  static std::optional<StrangeDirectory> open(const std::string& path);

  /// Of the entries, at most so many; in no order.
  std::vector<std::string> names(std::size_t most) const;
  /// Of a regular file in the directory's own mount; nothing for all else, links too.
  std::optional<struct stat> look_at(const std::string& name) const;
  /// All that there is in such a file; nothing also when it is longer than `most`. Never waits.
  std::optional<std::string> read(const std::string& name, std::size_t most) const;

 private:
  explicit StrangeDirectory(OwnedFd fd) : fd_(std::move(fd)), mount_(mount_of(fd_.get(), "")) {}
  static std::uint64_t mount_of(int fd, const char* name);
  /// Is it such a file? `status` tells of the entry `name` of `fd`, or of `fd` itself.
  bool is_one_of_ours(const struct stat& status, int fd, const char* name) const;

  OwnedFd fd_;
  std::uint64_t mount_;
};

}  // namespace dptrace
