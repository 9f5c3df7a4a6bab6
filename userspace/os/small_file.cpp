#include "os/small_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/clock.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kMost = 1U << 20;

}  // namespace

Result<SmallFile> read_small_file(const std::string& path) {
  const auto refused = [&path](const char* why) {
    return failure(fmt::format("reading {}: {}", path, why));
  };
  const OwnedFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat found {};
  if (!file || fstat(file.get(), &found) != 0) return refused(std::strerror(errno));
  if (!S_ISREG(found.st_mode)) return refused("it is not a regular file");
  SmallFile read_file{{}, (found.st_mode & S_IROTH) != 0};
  char buffer[16384];
  ssize_t size = 0;
  while ((size = read(file.get(), buffer, sizeof buffer)) > 0) {
    read_file.text.append(buffer, static_cast<std::size_t>(size));
    if (read_file.text.size() > kMost) return refused("it is larger than 1 MiB");
  }
  if (size < 0) return refused(std::strerror(errno));
  return read_file;
}

FileStamp stamp_of(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, nanoseconds(found.st_mtim),
          nanoseconds(found.st_ctim)};
}

}  // namespace dptrace
