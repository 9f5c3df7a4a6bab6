#include "record/target.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace dptrace::record {

namespace {

constexpr mode_t kMode = 0600;

// A signal handler can use globals only.
std::atomic<char*> fresh_path = nullptr;

void keep_fresh_path(const std::string* path) {
  std::free(fresh_path.exchange(path == nullptr ? nullptr : strdup(path->c_str())));
}

}  // namespace

std::string write_error(const std::string& path, int error) {
  if (error == EAGAIN)
    return fmt::format("writing {}: nobody has read it since the signal came", path);
  const char* hint = error == ENOSPC ? " (free some space, or write elsewhere)" : "";
  return fmt::format("writing {}: {}{}", path, std::strerror(error), hint);
}

Result<Target> Target::open(const std::string& path) {
  constexpr int kFlags = O_WRONLY | O_CLOEXEC;
  int descriptor = ::open(path.c_str(), kFlags | O_CREAT | O_EXCL, kMode);
  const bool fresh = descriptor >= 0;
  if (fresh) keep_fresh_path(&path);
  // This opens also a symbolic link to a file that does not exist yet.
  if (descriptor < 0 && errno == EEXIST) descriptor = ::open(path.c_str(), kFlags | O_CREAT, kMode);
  if (descriptor < 0) return failure(write_error(path, errno));
  return Target(path, OwnedFd(descriptor), fresh);
}

Target::~Target() {
  if (!fresh_) return;
  keep_fresh_path(nullptr);
  ::unlink(path_.c_str());
}

void Target::abandon() {
  if (const char* path = fresh_path.load()) ::unlink(path);
}

Result<OwnedFd> Target::begin() {
  if (std::exchange(fresh_, false)) keep_fresh_path(nullptr);
  struct stat file {};
  if (::fstat(file_.get(), &file) != 0 ||
      (S_ISREG(file.st_mode) && ::ftruncate(file_.get(), 0) != 0))
    return failure(write_error(path_, errno));
  return std::move(file_);
}

}  // namespace dptrace::record
