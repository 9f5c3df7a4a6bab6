// LossCounters reads the kernel's own counters of losses, of this machine's network namespaces:
// they tell of losses that free no packet the watch can see. Some counters count a drop that the
// watch sees as well.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "counters/counter_sums.hpp"
#include "counters/netns_counters.hpp"
#include "model/loss_counter.hpp"
#include "node/netns.hpp"

namespace dptrace {

/// A netns that ends takes with it what was counted since it was last read. Before 5.14, a netns
/// that gets the inode number of another between two reads is taken for that one until a counter
/// goes back.
class LossCounters {
 public:
  struct Options {
    /// How many network namespaces besides the own one a read() looks into, in turn. Each namespace
    /// costs some 0.16 ms of CPU time.
    std::size_t visits = 25;
    /// How often new namespaces are looked for, which costs a look at every process; namespaces
    /// with a name are noticed at once.
    std::chrono::milliseconds search_every = std::chrono::seconds(10);
    NetnsFinder::Places places{};
  };

  LossCounters() : LossCounters(Options{}) {}
  /// The watch begins here: the constructor looks into all namespaces that there are.
  explicit LossCounters(Options options);

  /// Returns the counters that have risen since the watch began, with what they rose by since the
  /// last read(). What a netns counts that is not looked into this time is told the next time that
  /// it is.
  std::vector<LossCounter> read();
  /// Does the same for all namespaces: for the last table.
  std::vector<LossCounter> read_all();

  /// Says which counters could not be read, and why; each reason is told once.
  std::vector<std::string> take_warnings();

 private:
  struct Netns {
    explicit Netns(bool created_later) : sums(created_later) {}
    std::uint64_t cookie = 0;
    CounterSums sums;
  };
  struct Visit {
    std::uint32_t inode = 0;
    OwnedFd file;  ///< empty: the thread is in the netns already
    std::uint64_t cookie = 0;
    std::vector<SourceReading> readings;
  };

  void search(bool created_later);
  std::vector<Visit> plan(std::size_t visits);
  void look(std::size_t visits);
  std::vector<LossCounter> risen() const;
  void take(Visit visit);
  void take(CounterSums& sums, const SourceReading& reading);
  void warn(const std::string& warning);

  const Options options_;
  const std::uint32_t home_;
  NetnsFinder finder_;
  std::chrono::steady_clock::time_point searched_;
  std::map<std::uint32_t, Netns> netns_;  ///< by inode number
  std::uint32_t last_visited_ = 0;        ///< the namespace that had its turn last
  CounterSums machine_{false};
  std::set<std::string> told_;
  std::vector<std::string> warnings_;
};

}  // namespace dptrace
