#include "node/netns.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/net_namespace.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

constexpr const char* kOwnNetns = "/proc/thread-self/ns/net";

// The device number of the file system that namespaces are files of; 0 when /proc does not tell.
dev_t namespace_device() {
  struct stat own {};
  return stat(kOwnNetns, &own) == 0 ? own.st_dev : 0;
}

// What the calling thread's netns calls the one behind `file`, -1: it has no number for it.
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

std::uint32_t current_netns() { return netns_of_file(kOwnNetns); }

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
  // Processes end, and inode numbers are used again.
  if (place != found_.end() && netns_of_file(place->second.path) == inode) return place->second;
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

std::uint32_t NetnsFinder::find_nsid(std::int32_t nsid) {
  if (nsid < 0) return 0;
  const auto known = by_nsid_.find(nsid);
  if (known != by_nsid_.end()) return known->second;
  if (is_time_to_search()) search();
  const auto socket = open_route_netlink();
  if (!socket) return 0;
  by_nsid_.clear();
  for (const auto& [inode, place] : found_) {
    const OwnedFd file(::open(place.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) continue;
    if (const auto id = nsid_of(socket.get(), file.get()); id >= 0) by_nsid_[id] = inode;
  }
  const auto found = by_nsid_.find(nsid);
  return found == by_nsid_.end() ? 0 : found->second;
}

// All zero for a directory that is not there.
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
  return !std::equal(name_times_.begin(), name_times_.end(), now.begin(), now.end(),
                     [](const timespec& a, const timespec& b) {
                       return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
                     });
}

bool NetnsFinder::is_time_to_search() {
  const auto now = std::chrono::steady_clock::now();
  if (searched_ && now - *searched_ < pause_) return false;
  searched_ = now;
  return true;
}

void NetnsFinder::search() {
  name_times_ = name_times();  // before: what comes meanwhile is a change
  ++searches_;
  found_.clear();
  by_nsid_.clear();
  for (const auto& directory : places_.named) {
    for_each_file(directory, [&](const std::string& name) {
      const auto path = directory + "/" + name;
      if (const auto inode = netns_of_file(path)) found_.try_emplace(inode, NetnsPlace{name, path});
    });
  }
  for_each_file(places_.proc, [&](const std::string& process) {
    if (!is_number(process)) return;
    const auto path = places_.proc + "/" + process + "/ns/net";
    if (const auto inode = netns_of_file(path)) found_.try_emplace(inode, NetnsPlace{"", path});
  });
}

Result<NetnsTopology> describe_netns(NetnsFinder& finder, std::uint32_t inode) {
  const auto file = finder.open(inode);
  if (!file) return tl::unexpected<Error>(file.error());
  return in_netns(file->get(), read_topology);
}

}  // namespace dptrace
