// NetnsFinder finds the network namespaces of this machine: which one an inode number means, and
// how to look into it.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/result.hpp"
#include "node/topology.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// The inode number of the calling thread's netns; 0 when /proc does not tell.
std::uint32_t current_netns();

/// A number that tells the calling thread's netns from one that had its inode number before; 0
/// before 5.14, which has no such number.
std::uint64_t netns_cookie();

/// True when the calling thread is in the netns with which the machine starts, where a node's own
/// devices are. False also for a node that is a container itself.
bool is_first_netns();

/// The inode number of the netns that a file (`/run/netns/NAME`, `/proc/PID/ns/net`) stands for; 0
/// when it stands for none.
std::uint32_t netns_of_file(const std::string& path);

/// The time (CLOCK_REALTIME, ns) when the netns was made that a file stands for and keeps; 0 when
/// there is no such file.
std::int64_t time_netns_was_made(const std::string& path);

struct NetnsPlace {
  std::string name;  ///< as `ip netns` or the container runtime calls it; empty: it has none
  std::string path;  ///< path to open it by
  /// The time (CLOCK_REALTIME, ns) when the netns was made, which tells it from others that had its
  /// number. 0 when it is not known, because the netns has no name.
  std::int64_t made_ns = 0;
};

class NetnsFinder {
 public:
  struct Places {
    std::vector<std::string> named = {"/run/netns", "/var/run/docker/netns"};
    std::string proc = "/proc";
  };

  NetnsFinder() : NetnsFinder(Places{}) {}
  /// After a search for an inode that was not found, `pause` has to pass before the machine is
  /// searched again.
  explicit NetnsFinder(Places places, std::chrono::milliseconds pause = std::chrono::seconds(1));

  /// The place of a netns. Nothing when neither a name nor a process leads to it, because only a
  /// socket or a bind mount elsewhere keeps it.
  std::optional<NetnsPlace> find(std::uint32_t inode);
  Result<OwnedFd> open(std::uint32_t inode);
  /// True when names have come or gone since the last search. Costs next to nothing.
  bool names_changed() const;
  /// Searches the names again when they have changed; returns true when it did. Costs next to
  /// nothing while names neither come nor go.
  bool follow_names();
  /// True when the last search of the names may have been too early for a name that has just come.
  bool is_settling() const { return unsettled_; }
  /// The directories in which names come and go.
  const std::vector<std::string>& directories() const { return places_.named; }
  /// All network namespaces that exist now; searches the machine, regardless of `pause`.
  const std::map<std::uint32_t, NetnsPlace>& find_all();
  /// The namespaces that the last search found, and how many searches there were.
  const std::map<std::uint32_t, NetnsPlace>& found() const { return found_; }
  std::uint64_t searches() const { return searches_; }
  /// The inode number of the netns for which the netns `inode` has the number `nsid`
  /// (Link::peer_nsid); 0 when it is not found.
  std::uint32_t find_nsid(std::uint32_t inode, std::int32_t nsid);

 private:
  bool is_time_to_search();
  void search();
  void search_names();
  std::vector<timespec> name_times() const;

  const Places places_;
  const std::chrono::milliseconds pause_;
  std::optional<std::chrono::steady_clock::time_point> searched_;
  std::uint64_t searches_ = 0;
  std::vector<timespec> name_times_;  ///< times of the last change of each directory of names
  bool unsettled_ = false;            ///< a change may be too recent to have been seen
  std::map<std::uint32_t, NetnsPlace> found_;
  using Nsids = std::map<std::int32_t, std::uint32_t>;
  Result<Nsids> nsids_here() const;

  std::map<std::uint32_t, Nsids> nsids_;  ///< per netns asked: inodes by its numbers
};

/// Opens the netns of the process itself, in which its first thread is.
OwnedFd open_home_netns();

/// Moves the calling thread into the netns.
Result<> enter_netns(int netns);

/// The devices of any netns of this machine, as read_topology(most) returns them; see roles() and
/// interfaces(). An error when the kernel takes longer than `patience`.
Result<NetnsTopology> describe_netns(NetnsFinder& finder, std::uint32_t inode, std::size_t most,
                                     std::chrono::milliseconds patience);

}  // namespace dptrace
