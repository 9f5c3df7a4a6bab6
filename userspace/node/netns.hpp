// Network namespaces of this machine: which one is meant by an inode number, and how to look into
// it.
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

/// Inode number of the calling thread's netns, 0 when /proc does not tell.
std::uint32_t current_netns();

/// Is the calling thread in the netns that the machine starts with, that of a node's own devices?
/// False also for a node that is a container itself.
bool is_first_netns();

/// Inode number of the netns that a file (`/run/netns/NAME`, `/proc/PID/ns/net`) stands for; 0 when
/// it stands for none.
std::uint32_t netns_of_file(const std::string& path);

/// CLOCK_REALTIME, of a netns that a file stands for and keeps; 0 when there is no such file.
std::int64_t time_netns_was_made(const std::string& path);

struct NetnsPlace {
  std::string name;  ///< as `ip netns` or the container runtime calls it; empty: none
  std::string path;  ///< to be opened
  /// CLOCK_REALTIME of when the netns was made, which tells it from others that had its number; 0:
  /// not known (it has no name).
  std::int64_t made_ns = 0;
};

class NetnsFinder {
 public:
  struct Places {
    std::vector<std::string> named = {"/run/netns", "/var/run/docker/netns"};
    std::string proc = "/proc";
  };

  NetnsFinder() : NetnsFinder(Places{}) {}
  /// An inode that is not found makes the machine be searched again after `pause` at the earliest.
  explicit NetnsFinder(Places places, std::chrono::milliseconds pause = std::chrono::seconds(1));

  /// Nothing when neither a name nor a process leads there (only a socket or a bind mount elsewhere
  /// keeps it).
  std::optional<NetnsPlace> find(std::uint32_t inode);
  Result<OwnedFd> open(std::uint32_t inode);
  /// Have names come or gone since the last search? Costs next to nothing.
  bool names_changed() const;
  /// Looks for what has come to be named since, if anything; true when it looked. Costs next to
  /// nothing while names neither come nor go.
  bool follow_names();
  /// The last look at the names may have been too early for what has just come.
  bool is_settling() const { return unsettled_; }
  /// Where names come and go.
  const std::vector<std::string>& directories() const { return places_.named; }
  /// All that there are now; asks the machine, whatever `pause` is.
  const std::map<std::uint32_t, NetnsPlace>& find_all();
  /// As of the last search, and how many there were.
  const std::map<std::uint32_t, NetnsPlace>& found() const { return found_; }
  std::uint64_t searches() const { return searches_; }
  /// Inode of the netns that the netns `inode` numbers `nsid` (Link::peer_nsid); 0 when not found.
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
  std::vector<timespec> name_times_;  ///< when the directories of names last changed
  bool unsettled_ = false;            ///< too short before the search to be sure that it saw all
  std::map<std::uint32_t, NetnsPlace> found_;
  using Nsids = std::map<std::int32_t, std::uint32_t>;
  Result<Nsids> nsids_here() const;

  std::map<std::uint32_t, Nsids> nsids_;  ///< inodes by number, of each netns that was asked for
};

/// Moves the calling thread.
Result<> enter_netns(int netns);

/// The devices of any netns of this machine, as read_topology(most); see roles() and interfaces().
/// An error when the kernel takes longer than `patience`.
Result<NetnsTopology> describe_netns(NetnsFinder& finder, std::uint32_t inode, std::size_t most,
                                     std::chrono::milliseconds patience);

}  // namespace dptrace
