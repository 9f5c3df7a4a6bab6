// Events to packets: follows every packet until its end is known. No clock, no I/O, bounded memory.
#pragma once

#include <cstdint>
#include <functional>
#include <list>

#include "model/event.hpp"
#include "model/names.hpp"
#include "timeline/identity.hpp"
#include "timeline/received.hpp"

namespace dptrace {

struct TimelineLimits {
  /// A packet without an end is told as unfinished after so long. An unresolved neighbour is given
  /// up after 3 s.
  std::uint64_t age_ns = 5'000'000'000;
  /// A packet with an end is told after so long: a receive buffer may drop it still, copies may be
  /// on their way.
  std::uint64_t settle_ns = 50'000'000;
  /// Beyond so many, the oldest is told as it is.
  std::size_t packets = 65536;
  /// Take every freed packet for lost, also where that is known to be none (`--all`).
  bool every_end = false;
};

class Timeline {
 public:
  using Receiver = std::function<void(Packet&&)>;

  /// `names` must outlive the timeline and know an event's numbers before the event is added.
  explicit Timeline(const Names& names, TimelineLimits limits = {})
      : names_(names), limits_(limits) {}
  Timeline(const Timeline&) = delete;
  Timeline& operator=(const Timeline&) = delete;

  void add(const Event& event);
  /// All events before `now_ns` (CLOCK_MONOTONIC) were added: hands over the packets that are due.
  /// Time goes in steps, each of which hands over in order of the first hop, so that a recording
  /// gives the order that the live trace gave.
  void advance(std::uint64_t now_ns, const Receiver& receive);
  /// No more events: hands over all that is left.
  void finish(const Receiver& receive);

  /// Is no packet followed?
  bool empty() const { return live_.empty() && displaced_.empty(); }

  /// Packets told early because more than limits.packets were followed.
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  Live* live_of(const dpt_hop& hop, bool may_begin);
  void add_hop(const dpt_hop& hop);
  void add_drop(const dpt_drop& drop);
  void add_netfilter(const dpt_netfilter& record);
  void note_growth(Live& live, const dpt_hop& hop);
  bool is_repetition(const Drop& drop, const dpt_flow& flow) const;
  bool is_due(Live& live, std::uint64_t now_ns) const;
  void step(std::uint64_t now_ns, const Receiver& receive);
  void hand_over(std::list<Live>& due, const Receiver& receive);

  const Names& names_;
  const TimelineLimits limits_;
  Identity identity_;
  Received received_;
  std::list<Live> live_;         ///< oldest first
  std::list<Live> displaced_;    ///< to be handed over at the next advance
  std::size_t usual_hops_ = 12;  ///< as many as the packet before had
  std::uint64_t steps_ = 0;      ///< of time that have passed
  std::uint64_t next_id_ = 1;
  std::uint64_t forgotten_ = 0;
};

}  // namespace dptrace
