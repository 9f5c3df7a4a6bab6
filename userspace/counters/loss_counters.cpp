#include "counters/loss_counters.hpp"

#include <limits>
#include <thread>
#include <utility>

#include "node/netns.hpp"

namespace dptrace {

namespace {
constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
// The limit is for a netns that may be a stranger's, which may have any number of devices.
constexpr std::size_t kMostDevices = 1024;
}  // namespace

LossCounters::LossCounters(Options options)
    : options_(std::move(options)),
      home_(current_netns()),
      finder_(options_.places, options_.search_every) {
  search(false);
  look(kAll);
}

std::vector<LossCounter> LossCounters::read() {
  if (std::chrono::steady_clock::now() - searched_ >= options_.search_every ||
      finder_.names_changed()) {
    search(true);
  }
  look(options_.visits);
  return risen();
}

std::vector<LossCounter> LossCounters::read_all() {
  search(true);
  look(kAll);
  return risen();
}

std::vector<LossCounter> LossCounters::risen() const {
  std::vector<LossCounter> risen;
  machine_.append_to(risen, 0);
  for (const auto& [inode, netns] : netns_) netns.sums.append_to(risen, inode);
  return risen;
}

std::vector<std::string> LossCounters::take_warnings() { return std::exchange(warnings_, {}); }

void LossCounters::search(bool created_later) {
  searched_ = std::chrono::steady_clock::now();
  const auto& found = finder_.find_all();
  std::erase_if(netns_, [&](const auto& known) {
    return known.first != home_ && !found.contains(known.first);
  });
  netns_.try_emplace(home_, created_later);
  for (const auto& [inode, place] : found) netns_.try_emplace(inode, created_later);
}

// Plans a visit to the own netns, and to as many others as may be, after those that had their turn.
std::vector<LossCounters::Visit> LossCounters::plan(std::size_t visits) {
  std::vector<Visit> planned(1);
  planned.front().inode = home_;
  auto next = netns_.upper_bound(last_visited_);
  for (std::size_t seen = 0; seen < netns_.size() && visits > 0; ++seen, ++next) {
    if (next == netns_.end()) next = netns_.begin();
    if (next->first == home_) continue;
    last_visited_ = next->first;
    --visits;
    Visit visit;
    visit.inode = next->first;
    auto file = finder_.open(visit.inode);
    if (!file) continue;  // the netns is ending; the next search tells
    visit.file = std::move(*file);
    planned.push_back(std::move(visit));
  }
  return planned;
}

void LossCounters::look(std::size_t visits) {
  machine_.begin_interval();
  for (auto& [inode, netns] : netns_) netns.sums.begin_interval();
  take(machine_, read_softnet_counters());

  std::vector<Visit> planned = plan(visits);
  Result<> entered;
  // A thread of its own goes from one netns to the next, so that the process stays where it is.
  std::thread([&] {
    for (Visit& visit : planned) {
      if (visit.file) {
        entered = enter_netns(visit.file.get());
        if (!entered) return;
      }
      visit.cookie = netns_cookie();
      visit.readings = read_netns_counters(visit.file ? kMostDevices : kAll);
    }
  }).join();
  if (!entered) {
    warn("counters of other network namespaces are not seen: " + entered.error().message);
  }
  for (Visit& visit : planned) take(std::move(visit));
}

void LossCounters::take(Visit visit) {
  if (visit.readings.empty()) return;
  auto netns = netns_.find(visit.inode);
  if (netns->second.cookie != 0 && netns->second.cookie != visit.cookie) {
    netns->second = Netns(true);
  }
  netns->second.cookie = visit.cookie;
  for (const SourceReading& reading : visit.readings) take(netns->second.sums, reading);
}

void LossCounters::take(CounterSums& sums, const SourceReading& reading) {
  if (reading.readings) {
    sums.take(reading.source, *reading.readings);
  } else {
    warn(reading.readings.error().message);
  }
}

void LossCounters::warn(const std::string& warning) {
  if (told_.insert(warning).second) warnings_.push_back(warning);
}

}  // namespace dptrace
