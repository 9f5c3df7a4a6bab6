// Session turns records into shown packets, as a live trace and a recording both need it.
#pragma once

#include "model/event.hpp"
#include "run/presenter.hpp"
#include "timeline/timeline.hpp"

namespace dptrace {

/// The time of an event (CLOCK_MONOTONIC, ns).
std::uint64_t time_of(const Event& event);

class Session {
 public:
  /// `names` must outlive the session and know an event's numbers before take().
  Session(const ShowOptions& options, std::vector<Address> pods, const Names& names);

  void take(const Event& event);
  /// Packets that end at `since_ns` (CLOCK_MONOTONIC) or later are not told before the next call:
  /// their names are still looked for.
  void hold_back(std::uint64_t since_ns) { held_since_ns_ = since_ns; }
  /// Shows the packets that are due; no event before `now_ns` may come any more.
  void advance(std::uint64_t now_ns);
  /// Shows the packets that are still on their way, and the summary. `figures` has the figures that
  /// only the caller knows.
  void finish(Summary figures);

  /// True when no packet is on its way, so that nothing is to be shown before an event comes.
  bool is_idle() const { return timeline_.empty(); }
  bool is_done() const { return presenter_.is_done(); }
  void flush() { presenter_.flush(); }
  std::uint64_t events() const { return events_; }
  std::uint64_t forgotten() const { return timeline_.forgotten(); }
  /// The time up to which packets were told as they became due (CLOCK_MONOTONIC).
  std::uint64_t told_until() const { return told_until_ns_; }
  int exit_status() { return presenter_.exit_status(); }

 private:
  const Names& names_;
  Timeline timeline_;
  Presenter presenter_;
  Timeline::Receiver receiver_;
  std::uint64_t events_ = 0;
  std::uint64_t held_since_ns_ = kLatest;
  std::uint64_t told_until_ns_ = 0;
};

}  // namespace dptrace
