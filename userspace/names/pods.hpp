// Pods knows the pod that an address or a network namespace belongs to. It reads the results that
// libcni caches for container runtimes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.hpp"

namespace dptrace {

struct Pod {
  std::string name;  ///< `namespace/name`
  std::vector<Address> addresses;
  std::string netns_path;  ///< empty: the plugin did not tell
};

/// The pod of one file of the cache (kind cniCacheV1). Nothing when the file is malformed, cut
/// short, or of no pod.
std::optional<Pod> parse_cni_result(std::string_view json);

class Pods {
 public:
  /// Reads the folders that libcni chooses itself (containerd, CRI-O) and that of cri-dockerd.
  Pods() : Pods({"/var/lib/cni/results", "/var/lib/cni/cache/results"}) {}
  explicit Pods(const std::vector<std::string>& directories);

  /// Reads what is new since the last call; while pods neither come nor go this costs one stat()
  /// for each directory. True when something changed.
  bool refresh();
  /// True when the last refresh() may have been too early for a new file, so that another one is
  /// due soon.
  bool is_settling() const;
  std::vector<std::string> directories() const;

  /// `namespace/name`; null when the address or netns is none of this node's pods.
  const std::string* by_address(const Address& address) const;
  const std::string* by_netns(std::uint32_t inode) const;

  const std::map<Address, std::string>& addresses() const { return by_address_; }
  /// The time (CLOCK_REALTIME, ns) since when the address is its pod's: the time when its netns was
  /// made or, where that is not known or not after `after_ns`, the time when the plugin's result
  /// was written.
  std::int64_t since(const Address& address, std::int64_t after_ns) const;
  /// The time (CLOCK_REALTIME, ns) when the result of the netns's pod was written; 0 when there is
  /// none.
  std::int64_t netns_written(std::uint32_t inode) const;
  const std::map<std::uint32_t, std::string>& netns() const { return by_netns_; }

 private:
  struct File {
    std::int64_t modified_ns = 0;
    std::int64_t size = 0;
    std::optional<Pod> pod;
    std::uint32_t netns = 0;
    std::int64_t netns_made_ns = 0;  // 0: not known
  };
  struct Directory {
    std::string path;
    std::int64_t modified_ns = -1;
    bool unsettled = false;             // something may still change without changing `modified_ns`
    std::map<std::string, File> files;  // by name
  };

  static bool is_unchanged(Directory& directory);
  static bool read(Directory& directory);
  static bool forget(Directory& directory);
  void index();

  std::vector<Directory> directories_;
  struct Since {
    std::int64_t netns_made_ns = 0;
    std::int64_t written_ns = 0;
  };

  std::map<Address, std::string> by_address_;
  std::map<Address, Since> since_;
  std::map<std::uint32_t, std::string> by_netns_;
  struct NetnsOfPod {
    std::string path;
    std::int64_t written_ns = 0;
  };
  std::map<std::uint32_t, NetnsOfPod> netns_files_;
};

}  // namespace dptrace
