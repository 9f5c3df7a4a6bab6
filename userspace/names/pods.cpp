#include "names/pods.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "model/foreign.hpp"
#include "node/netns.hpp"
#include "os/clock.hpp"
#include "os/strange_directory.hpp"

namespace dptrace {

namespace {

using Json = nlohmann::json;

// This is longer than the steps of file systems' clocks, and than writing a result takes.
constexpr std::int64_t kSettledNs = 100'000'000;
// A result has some kilobytes; a file that is far longer is none.
constexpr std::size_t kLongestFile = 1 << 20;
constexpr std::size_t kMostValues = 10'000;
constexpr std::size_t kLongestPath = 255;
// The most files of one directory: a node has some hundreds of pods, and the programs in the kernel
// have room for this many.
constexpr std::size_t kMostFiles = 16'384;

bool is_fresh(std::int64_t modified_ns) {
  return clock_ns(CLOCK_REALTIME) - modified_ns < kSettledNs;
}

const Json* member(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(name);
  return found == object.end() ? nullptr : &*found;
}

std::string text_of(const Json& object, const char* name) {
  const Json* value = member(object, name);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

// Finds an argument in `"cniArgs": [["K8S_POD_NAME", "web-0"], ...]`.
std::string argument(const Json& cache, std::string_view name) {
  const Json* arguments = member(cache, "cniArgs");
  if (arguments == nullptr || !arguments->is_array()) return {};
  for (const auto& pair : *arguments) {
    const bool named = pair.is_array() && pair.size() == 2 && pair[0].is_string() &&
                       pair[1].is_string() && pair[0].get_ref<const std::string&>() == name;
    if (named) return pair[1].get<std::string>();
  }
  return {};
}

// containerd has a plugin configure the pod's own loopback too, whose addresses are not the pod's
// alone.
bool is_loopback(const Address& address) {
  return address == Address::parse("::1") || (address.is_ipv4() && address.bytes.bytes[12] == 127);
}

void append_address(const std::string& with_prefix, std::vector<Address>& addresses) {
  const auto address = Address::parse(with_prefix.substr(0, with_prefix.find('/')));
  if (address && !is_loopback(*address)) addresses.push_back(*address);
}

// CNI 0.3 and later has `ips`; 0.2 has {"ip4":{"ip":"10.0.0.2/24"}}.
std::vector<Address> result_addresses(const Json& result) {
  std::vector<Address> addresses;
  if (const Json* ips = member(result, "ips"); ips != nullptr && ips->is_array()) {
    for (const auto& ip : *ips) append_address(text_of(ip, "address"), addresses);
  }
  for (const char* family : {"ip4", "ip6"}) {
    if (const Json* ip = member(result, family)) append_address(text_of(*ip, "ip"), addresses);
  }
  return addresses;
}

std::string sandbox(const Json& result) {
  const Json* interfaces = member(result, "interfaces");
  if (interfaces == nullptr || !interfaces->is_array()) return {};
  for (const auto& interface : *interfaces) {
    auto path = text_of(interface, "sandbox");
    if (!path.empty()) return path;
  }
  return {};
}

// Container runtimes keep network namespaces in these folders. Opening a path that leads elsewhere,
// for example to a file system that a tenant runs, might never return.
bool leads_to_netns(std::string_view path) {
  constexpr std::array<std::string_view, 3> kPlaces = {"/run/", "/var/run/", "/proc/"};
  return path.size() <= kLongestPath && path.find("/../") == std::string_view::npos &&
         std::any_of(kPlaces.begin(), kPlaces.end(),
                     [&](std::string_view place) { return path.substr(0, place.size()) == place; });
}

}  // namespace

std::optional<Pod> parse_cni_result(std::string_view json) {
  if (!is_modest_json(json, kMostValues)) return {};
  const Json cache = Json::parse(json, nullptr, false);
  if (cache.is_discarded() || text_of(cache, "kind") != "cniCacheV1") return {};
  const auto name_space = argument(cache, "K8S_POD_NAMESPACE");
  const auto name = argument(cache, "K8S_POD_NAME");
  const Json* result = member(cache, "result");
  if (name_space.empty() || name.empty() || result == nullptr) return {};
  Pod pod{clean_name(name_space + "/" + name), result_addresses(*result), text_of(cache, "netns")};
  if (pod.netns_path.empty()) pod.netns_path = sandbox(*result);
  if (!leads_to_netns(pod.netns_path)) pod.netns_path.clear();
  return pod;
}

Pods::Pods(const std::vector<std::string>& directories) {
  for (const auto& path : directories) directories_.push_back({path, -1, false, {}});
}

bool Pods::refresh() {
  bool changed = false;
  for (auto& directory : directories_) changed |= !is_unchanged(directory) && read(directory);
  if (changed) index();
  return changed;
}

bool Pods::is_settling() const {
  return std::any_of(directories_.begin(), directories_.end(),
                     [](const Directory& directory) { return directory.unsettled; });
}

std::vector<std::string> Pods::directories() const {
  std::vector<std::string> paths;
  for (const auto& directory : directories_) paths.push_back(directory.path);
  return paths;
}

const std::string* Pods::by_address(const Address& address) const {
  const auto found = by_address_.find(address);
  return found == by_address_.end() ? nullptr : &found->second;
}

const std::string* Pods::by_netns(std::uint32_t inode) const {
  const auto found = by_netns_.find(inode);
  if (found == by_netns_.end()) return nullptr;
  // A result may be left behind when its netns is gone; the number may then be that of another
  // netns.
  return netns_of_file(netns_files_.at(inode).path) == inode ? &found->second : nullptr;
}

std::int64_t Pods::netns_written(std::uint32_t inode) const {
  const auto found = netns_files_.find(inode);
  return found == netns_files_.end() ? 0 : found->second.written_ns;
}

std::int64_t Pods::since(const Address& address, std::int64_t after_ns) const {
  const auto found = since_.find(address);
  if (found == since_.end()) return 0;
  const auto& [netns_made_ns, written_ns] = found->second;
  return netns_made_ns > after_ns ? netns_made_ns : written_ns;
}

bool Pods::is_unchanged(Directory& directory) {
  struct stat status {};
  // There is no container runtime yet, or none any more.
  if (stat(directory.path.c_str(), &status) != 0) {
    directory.modified_ns = -1;
    return directory.files.empty();
  }
  const auto modified = nanoseconds(status.st_mtim);
  if (modified == directory.modified_ns && !directory.unsettled) return true;
  directory.modified_ns = modified;
  directory.unsettled = is_fresh(modified);
  return false;
}

bool Pods::forget(Directory& directory) {
  const bool changed = !directory.files.empty();
  directory.files.clear();
  return changed;
}

bool Pods::read(Directory& directory) {
  std::map<std::string, File> files;
  bool changed = false;
  const auto place = StrangeDirectory::open(directory.path);
  if (!place) return forget(directory);
  for (const auto& path : place->names(kMostFiles)) {
    const auto status = place->look_at(path);
    if (!status) continue;
    File file{nanoseconds(status->st_mtim), status->st_size, {}, 0, 0};
    const auto before = directory.files.find(path);
    const bool is_known = before != directory.files.end() && before->second.size == file.size &&
                          before->second.modified_ns == file.modified_ns;
    // libcni writes its files in place: within one step of the clock, an equal length does not
    // prove that the file is complete.
    const bool is_settled = !is_fresh(file.modified_ns);
    if (is_known && (before->second.pod || is_settled)) {
      file = before->second;
    } else if (const auto text = place->read(path, kLongestFile)) {
      file.pod = parse_cni_result(*text);
      changed |= file.pod.has_value();
    }
    if (file.pod) {
      // The number of a netns that is gone may be that of another one, when its result was left
      // behind.
      const auto netns = netns_of_file(file.pod->netns_path);
      changed |= netns != file.netns;
      file.netns = netns;
      if (netns != 0) file.netns_made_ns = time_netns_was_made(file.pod->netns_path);
    }
    directory.unsettled |= !file.pod && !is_settled;
    files.emplace(path, std::move(file));
  }
  for (const auto& [path, file] : directory.files) {
    const auto now = files.find(path);
    changed |= file.pod && (now == files.end() || !now->second.pod);
  }
  directory.files = std::move(files);
  return changed;
}

void Pods::index() {
  std::vector<const File*> files;
  for (const auto& directory : directories_) {
    for (const auto& [path, file] : directory.files) {
      if (file.pod) files.push_back(&file);
    }
  }
  // Several files may have the same address. Those whose netns is gone were left behind, for
  // instance by a reboot, and count least; of the others the latest counts most.
  std::sort(files.begin(), files.end(), [](const File* a, const File* b) {
    return std::make_pair(a->netns != 0, a->modified_ns) <
           std::make_pair(b->netns != 0, b->modified_ns);
  });
  by_address_.clear();
  since_.clear();
  by_netns_.clear();
  netns_files_.clear();
  for (const auto* file : files) {
    for (const auto& address : file->pod->addresses) {
      by_address_[address] = file->pod->name;
      since_[address] = {file->netns_made_ns, file->modified_ns};
    }
    if (file->netns == 0) continue;
    by_netns_[file->netns] = file->pod->name;
    netns_files_[file->netns] = {file->pod->netns_path, file->modified_ns};
  }
}

}  // namespace dptrace
