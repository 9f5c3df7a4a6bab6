#include "os/strange_directory.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <string_view>

namespace dptrace {

namespace {

constexpr int kSafely = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

struct Close {
  void operator()(DIR* directory) const { closedir(directory); }
};

// A name without a slash leads nowhere but into the directory, as long as links are not followed.
bool is_plain(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos;
}

}  // namespace

std::optional<StrangeDirectory> StrangeDirectory::open(const std::string& path) {
  OwnedFd fd(::open(path.c_str(), kSafely | O_DIRECTORY));
  if (!fd) return {};
  return StrangeDirectory(std::move(fd));
}

// The mount is not told by st_dev: in an overlay a file may have another st_dev than its directory.
std::uint64_t StrangeDirectory::mount_of(int fd, const char* name) {
  struct statx status {};
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH | AT_NO_AUTOMOUNT;
  if (statx(fd, name, kFlags, STATX_MNT_ID, &status) != 0) return 0;
  return (status.stx_mask & STATX_MNT_ID) != 0 ? status.stx_mnt_id : 0;
}

std::vector<std::string> StrangeDirectory::names(std::size_t most) const {
  // The list needs a descriptor of its own, since closedir() closes it.
  const int fd = openat(fd_.get(), ".", kSafely | O_DIRECTORY);
  const std::unique_ptr<DIR, Close> list(fd < 0 ? nullptr : fdopendir(fd));
  if (!list && fd >= 0) ::close(fd);
  std::vector<std::string> names;
  while (list && names.size() < most) {
    const dirent* entry = readdir(list.get());
    if (entry == nullptr) break;
    if (is_plain(entry->d_name)) names.emplace_back(entry->d_name);
  }
  return names;
}

bool StrangeDirectory::is_one_of_ours(const struct stat& status, int fd, const char* name) const {
  return S_ISREG(status.st_mode) && mount_of(fd, name) == mount_;
}

std::optional<struct stat> StrangeDirectory::look_at(const std::string& name) const {
  struct stat status {};
  if (!is_plain(name) || fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0 ||
      !is_one_of_ours(status, fd_.get(), name.c_str()))
    return {};
  return status;
}

std::optional<std::string> StrangeDirectory::read(const std::string& name, std::size_t most) const {
  // Only a regular file is opened, because opening some devices has effects.
  if (!look_at(name)) return {};
  const OwnedFd file(openat(fd_.get(), name.c_str(), kSafely | O_NOFOLLOW));
  struct stat status {};
  // The name may be that of another file by now.
  if (!file || fstat(file.get(), &status) != 0 || !is_one_of_ours(status, file.get(), "") ||
      status.st_size > static_cast<off_t>(most))
    return {};
  // The length that the file system tells is not trusted.
  std::string text;
  constexpr std::size_t kStep = 64 << 10;
  for (;;) {
    const std::size_t had = text.size();
    if (had > most) return {};
    text.resize(std::min(had + kStep, most + 1));
    const ssize_t count = ::read(file.get(), text.data() + had, text.size() - had);
    if (count < 0 && errno != EINTR) return {};
    text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
  }
}

}  // namespace dptrace
