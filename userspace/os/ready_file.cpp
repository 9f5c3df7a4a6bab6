#include "os/ready_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "os/outlet.hpp"

namespace dptrace {

namespace {

constexpr mode_t kMode = 0644;

Result<> refused(const std::string& path, const std::string& why) {
  return failure("creating the ready file " + path + ": " + why);
}

std::string link_words() { return "it is a symbolic link, which is not followed to a file"; }

// True when `path` leads to something that writing does not empty: a device, a pipe.
bool leads_to_no_file(const std::string& path) {
  struct stat target {};
  return stat(path.c_str(), &target) == 0 && !S_ISREG(target.st_mode) && !S_ISDIR(target.st_mode);
}

OwnedFd open_for_writing(const std::string& path) {
  // O_NONBLOCK is there because a pipe without a reader must not be waited for.
  constexpr int kFlags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  OwnedFd file(open(path.c_str(), kFlags | O_CREAT | O_NOFOLLOW, kMode));
  if (file || errno != ELOOP) return file;
  if (leads_to_no_file(path)) file = OwnedFd(open(path.c_str(), kFlags));
  struct stat opened {};
  if (file && fstat(file.get(), &opened) == 0 && !S_ISREG(opened.st_mode)) return file;
  errno = ELOOP;  // also for a path that has become another file meanwhile
  return {};
}

}  // namespace

Result<> check_ready_file(const std::string& path) {
  if (path.empty()) return {};
  struct stat file {};
  if (lstat(path.c_str(), &file) == 0) {
    if (S_ISDIR(file.st_mode)) return refused(path, std::strerror(EISDIR));
    if (S_ISLNK(file.st_mode) && !leads_to_no_file(path)) return refused(path, link_words());
    return {};
  }
  if (errno != ENOENT) return refused(path, std::strerror(errno));
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
    return refused(path, std::strerror(errno));
  return {};
}

Result<> create_ready_file(const std::string& path) {
  if (path.empty()) return {};
  const OwnedFd file = open_for_writing(path);
  if (!file) return refused(path, errno == ELOOP ? link_words() : std::strerror(errno));
  struct stat opened {};
  if (fstat(file.get(), &opened) != 0) return refused(path, std::strerror(errno));
  if (S_ISREG(opened.st_mode) && ftruncate(file.get(), 0) != 0)
    return refused(path, std::strerror(errno));
  Outlet outlet(file.get());
  switch (outlet.write(std::to_string(getpid()) + '\n')) {
    case Outlet::End::kFailed:
      return refused(path, std::strerror(outlet.error()));
    case Outlet::End::kClosed:
      return refused(path, std::strerror(EPIPE));
    default:
      return {};
  }
}

}  // namespace dptrace
