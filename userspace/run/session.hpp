// Records to shown packets: what a live trace and a recording do alike.
#pragma once

#include "model/event.hpp"
#include "run/presenter.hpp"
#include "timeline/timeline.hpp"

namespace dptrace {

/// CLOCK_MONOTONIC time of an event.
std::uint64_t time_of(const Event& event);

class Session {
 public:
  /// `names` must outlive the session and know an event's numbers before take().
  Session(const ShowOptions& options, std::vector<Address> pods, const Names& names);

  void take(const Event& event);
  /// No event before `now_ns` is still to come.
  void advance(std::uint64_t now_ns);
  /// Shows what is in flight and the summary. `figures` brings what only the caller knows.
  void finish(Summary figures);

  /// No packet is on its way: nothing is to be shown before an event comes.
  bool is_idle() const { return timeline_.empty(); }
  bool is_done() const { return presenter_.is_done(); }
  void flush() { presenter_.flush(); }
  std::uint64_t events() const { return events_; }
  std::uint64_t forgotten() const { return timeline_.forgotten(); }
  int exit_status() { return presenter_.exit_status(); }

 private:
  const Names& names_;
  Timeline timeline_;
  Presenter presenter_;
  Timeline::Receiver receiver_;
  std::uint64_t events_ = 0;
};

}  // namespace dptrace
