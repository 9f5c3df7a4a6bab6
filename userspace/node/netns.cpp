#include "node/netns.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "node/in_netns.hpp"
#include "node/netlink.hpp"
#include "os/clock.hpp"

// The kernel's headers have it since 5.14.
#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

namespace dptrace {

namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

// The device number of the file system of which namespaces are files; 0 when /proc does not tell.
dev_t namespace_device() {
  struct stat own {};
  return stat(kOwnNetns, &own) == 0 ? own.st_dev : 0;
}

// The number that the calling thread's netns has for the netns behind `file`; -1 when it has none.
std::int32_t nsid_of(mnl_socket* socket, int file) {
  std::array<char, 4096> buffer{};
  nlmsghdr* header = mnl_nlmsg_put_header(buffer.data());
  header->nlmsg_type = RTM_GETNSID;
  header->nlmsg_flags = NLM_F_REQUEST;
  mnl_nlmsg_put_extra_header(header, sizeof(rtgenmsg));
  mnl_attr_put_u32(header, NETNSA_FD, static_cast<std::uint32_t>(file));
  if (mnl_socket_sendto(socket, header, header->nlmsg_len) < 0) return -1;
  const ssize_t length = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
  std::int32_t nsid = -1;
  const auto on_message = [](const nlmsghdr* message, void* context) {
    for_each_attribute(message, sizeof(rtgenmsg), [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == NETNSA_NSID) {
        *static_cast<std::int32_t*>(context) =
            static_cast<std::int32_t>(mnl_attr_get_u32(attribute));
      }
    });
    return MNL_CB_OK;
  };
  if (length > 0) {
    mnl_cb_run(buffer.data(), static_cast<std::size_t>(length), 0, 0, on_message, &nsid);
  }
  return nsid;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char digit) { return digit >= '0' && digit <= '9'; });
}

// The kernel takes no lock to tell the numbers that a netns has for others, so it answers soon.
constexpr std::chrono::milliseconds kPatience{100};

// This is longer than the steps of the clock that file systems use. A directory may have changed
// without a new time until this much later.
constexpr std::int64_t kSettledNs = 100'000'000;

template <typename Visit>
void for_each_file(const std::string& directory, Visit visit) {
  std::error_code error;
  std::filesystem::directory_iterator file(directory, error);
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    visit(file->path().filename().string());
  }
}

}  // namespace

std::uint32_t netns_of_file(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0 || file.st_dev != namespace_device()) return 0;
  return static_cast<std::uint32_t>(file.st_ino);
}

// The kernel sets the time of the file when the netns is made or, for one without a name, when it
// is looked at.
std::int64_t time_netns_was_made(const std::string& path) {
  struct stat file {};
  return stat(path.c_str(), &file) == 0 ? nanoseconds(file.st_mtim) : 0;
}

std::uint64_t netns_cookie() {
  const OwnedFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  std::uint64_t cookie = 0;
  socklen_t size = sizeof cookie;
  const bool is_told =
      socket && getsockopt(socket.get(), SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &size) == 0;
  return is_told ? cookie : 0;
}

std::uint32_t current_netns() { return netns_of_file(kOwnNetns); }

bool is_first_netns() {
  // Only the first netns shows this setting of the whole machine.
  return access("/proc/sys/net/core/netdev_max_backlog", F_OK) == 0;
}

OwnedFd open_home_netns() { return OwnedFd(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)); }

Result<> enter_netns(int netns) {
  if (setns(netns, CLONE_NEWNET) == 0) return {};
  const int error = errno;
  return failure(fmt::format("entering a network namespace: {}{}", std::strerror(error),
                             error == EPERM ? " (this takes CAP_SYS_ADMIN)" : ""));
}

NetnsFinder::NetnsFinder(Places places, std::chrono::milliseconds pause)
    : places_(std::move(places)), pause_(pause) {}

std::optional<NetnsPlace> NetnsFinder::find(std::uint32_t inode) {
  if (inode == 0) return {};
  auto place = found_.find(inode);
  // The path may no longer lead there: processes end, and inode numbers are used again, also under
  // the same name.
  if (place != found_.end() && netns_of_file(place->second.path) == inode) {
    if (place->second.made_ns != 0) place->second.made_ns = time_netns_was_made(place->second.path);
    return place->second;
  }
  if (place != found_.end()) found_.erase(place);
  if (!is_time_to_search()) return {};
  search();
  place = found_.find(inode);
  if (place == found_.end()) return {};
  return place->second;
}

Result<OwnedFd> NetnsFinder::open(std::uint32_t inode) {
  const auto place = find(inode);
  if (!place) {
    return failure(
        fmt::format("finding network namespace {}: it has no name and no process that can be seen "
                    "(processes of others take CAP_SYS_PTRACE; in a container, hostPID)",
                    inode));
  }
  OwnedFd file(::open(place->path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failure(fmt::format("opening {}: {}", place->path, std::strerror(errno)));
  struct stat opened {};
  if (fstat(file.get(), &opened) != 0 || static_cast<std::uint32_t>(opened.st_ino) != inode) {
    return failure(fmt::format("opening network namespace {}: it has just ended", inode));
  }
  return file;
}

const std::map<std::uint32_t, NetnsPlace>& NetnsFinder::find_all() {
  searched_ = std::chrono::steady_clock::now();
  search();
  return found_;
}

// The numbers that the calling thread's netns has for the others.
Result<NetnsFinder::Nsids> NetnsFinder::nsids_here() const {
  const auto socket = open_route_netlink();
  if (!socket) return failure(fmt::format("asking for numbers: {}", std::strerror(errno)));
  Nsids nsids;
  for (const auto& [inode, place] : found_) {
    const OwnedFd file(::open(place.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;
    if (const auto id = nsid_of(socket.get(), file.get()); id >= 0) nsids[id] = inode;
  }
  return nsids;
}

std::uint32_t NetnsFinder::find_nsid(std::uint32_t inode, std::int32_t nsid) {
  if (nsid < 0) return 0;
  const auto look_up = [&]() -> std::uint32_t {
    const auto nsids = nsids_.find(inode);
    if (nsids == nsids_.end()) return 0;
    const auto found = nsids->second.find(nsid);
    return found == nsids->second.end() ? 0 : found->second;
  };
  if (const auto known = look_up()) return known;
  if (is_time_to_search()) search();
  if (nsids_.contains(inode)) return 0;
  Result<Nsids> nsids;
  if (inode == current_netns()) {
    nsids = nsids_here();
  } else {
    auto file = open(inode);
    if (!file) return 0;
    nsids = in_netns(std::move(*file), kPatience, [finder = *this] { return finder.nsids_here(); });
  }
  if (!nsids) return 0;
  nsids_[inode] = std::move(*nsids);
  return look_up();
}

// The time of a directory that does not exist is all zero.
std::vector<timespec> NetnsFinder::name_times() const {
  std::vector<timespec> times;
  for (const auto& directory : places_.named) {
    struct stat status {};
    stat(directory.c_str(), &status);
    times.push_back(status.st_mtim);
  }
  return times;
}

bool NetnsFinder::names_changed() const {
  const auto now = name_times();
  return unsettled_ || !std::equal(name_times_.begin(), name_times_.end(), now.begin(), now.end(),
                                   [](const timespec& a, const timespec& b) {
                                     return nanoseconds(a) == nanoseconds(b);
                                   });
}

bool NetnsFinder::follow_names() {
  if (!names_changed()) return false;
  ++searches_;
  nsids_.clear();
  std::erase_if(found_, [](const auto& entry) { return !entry.second.name.empty(); });
  search_names();
  return true;
}

bool NetnsFinder::is_time_to_search() {
  const auto now = std::chrono::steady_clock::now();
  if (searched_ && now - *searched_ < pause_) return false;
  searched_ = now;
  return true;
}

void NetnsFinder::search() {
  ++searches_;
  found_.clear();
  nsids_.clear();
  search_names();
  for_each_file(places_.proc, [&](const std::string& process) {
    if (!is_number(process)) return;
    const auto path = places_.proc + "/" + process + "/ns/net";
    if (const auto inode = netns_of_file(path)) found_.try_emplace(inode, NetnsPlace{"", path, 0});
  });
}

void NetnsFinder::search_names() {
  name_times_ =
      name_times();  // before the names are read, so that a name that comes meanwhile is a change
  const std::int64_t now = clock_ns(CLOCK_REALTIME);
  unsettled_ = std::any_of(name_times_.begin(), name_times_.end(), [&](const timespec& time) {
    return now - nanoseconds(time) < kSettledNs;
  });
  std::map<std::uint32_t, NetnsPlace> named;
  for (const auto& directory : places_.named) {
    for_each_file(directory, [&](const std::string& name) {
      const auto path = directory + "/" + name;
      if (const auto inode = netns_of_file(path))
        named.try_emplace(inode, NetnsPlace{name, path, time_netns_was_made(path)});
    });
  }
  for (auto& [inode, place] : named) found_.insert_or_assign(inode, std::move(place));
}

Result<NetnsTopology> describe_netns(NetnsFinder& finder, std::uint32_t inode, std::size_t most,
                                     std::chrono::milliseconds patience) {
  auto file = finder.open(inode);
  if (!file) return tl::unexpected<Error>(file.error());
  return in_netns(std::move(*file), patience, [most] { return read_topology(most); });
}

}  // namespace dptrace
