// Timeline turns events into packets, and follows every packet until its end is known. It has no
// clock and no I/O, and its memory is bounded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>

#include "model/event.hpp"
#include "model/names.hpp"
#include "timeline/connections.hpp"
#include "timeline/heard.hpp"
#include "timeline/identity.hpp"
#include "timeline/owners.hpp"

namespace dptrace {

struct TimelineLimits {
  /// A packet without an end is told as unfinished this long after its last event. The kernel gives
  /// up an unresolved neighbour after 3.1 s; a program that reads an NFQUEUE may take its time.
  std::uint64_t age_ns = 10'000'000'000;
  /// A packet that is known to wait is told as it is this long after its last event: a netfilter
  /// hook keeps it, or some of its fragments are missing, which the kernel gives up after 30 s.
  std::uint64_t patience_ns = 35'000'000'000;
  /// A packet with an end is told this long after its last event: a receive buffer may still drop
  /// it, and copies may be on their way.
  std::uint64_t settle_ns = 50'000'000;
  /// A packet that was given to be encrypted is told this long after its last event: it may wait
  /// for a key, and it may be decrypted on this node.
  std::uint64_t key_ns = 1'000'000'000;
  /// A packet that may have left the node in vain is told this long after its last event, or when
  /// it is answered.
  std::uint64_t answer_ns = 1'000'000'000;
  /// When there are this many packets, or hops of all packets together, the oldest packet is told
  /// as it is.
  std::size_t packets = 65536;
  std::size_t all_hops = 500'000;
  /// This much is kept of one packet; what exceeds it is only counted.
  std::size_t hops = 1024;
  std::size_t branches = 512;
  std::size_t drops = 128;
  /// Tell also the ends that are no loss (`--all`).
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
  /// Hands over the packets that are due, once all events before `now_ns` (CLOCK_MONOTONIC) were
  /// added. Time passes in steps, each of which hands over its packets in order of their first hop,
  /// so that a recording gives the same order as the live trace.
  void advance(std::uint64_t now_ns, const Receiver& receive);
  /// Hands over all packets that are left, once no more events will come.
  void finish(const Receiver& receive);

  /// True when no packet is followed that is still to be told.
  bool empty() const { return live_.empty() && displaced_.empty(); }

  /// The number of packets that were told early because too many were followed.
  std::uint64_t forgotten() const { return forgotten_; }

 private:
  struct Place {
    Live* live = nullptr;
    std::uint16_t branch = 0;
    Branch* operator->() const { return &live->branches[branch]; }
  };

  /// The place of the event, brought up to date. Null when the event begins no packet, or its
  /// packet has as many branches as are kept.
  Place place_of(const Sighting& seen, bool may_begin);
  Place begin(const Sighting& seen);
  Place fork(const Identity::Found& found, const Sighting& seen);
  void update(Place place, const Sighting& seen, const Range& range);
  void merge_streams(Place place, const Sighting& seen);
  void merge_covered(Place place);
  /// False when the packet already has as many hops as are kept.
  bool push(Live& live, Hop hop);

  void add_hop(const dpt_hop& hop);
  void add_drop(const dpt_drop& drop);
  void add_netfilter(const dpt_netfilter& record);
  void add_end(const dpt_end& record);
  void add_lost(const dpt_lost& record);
  void add_rule(const dpt_rule& record);
  void add_full_listener(const dpt_full_listener& record);
  bool brings_nothing(const Drop& drop, const dpt_flow& flow) const;

  void ask_listeners(Live& live) const;
  bool is_waiting(const Live& live) const;
  bool is_answered_or_unheard(Live& live, std::uint64_t now_ns);
  bool is_due(Live& live, std::uint64_t now_ns);
  void displace_oldest();
  void step(std::uint64_t now_ns, const Receiver& receive);
  void hand_over(std::list<Live>& due, const Receiver& receive);
  void remember(std::list<Live>& told);

  const Names& names_;
  const TimelineLimits limits_;
  Identity identity_;
  Connections connections_;
  Heard heard_;
  std::array<bool, 2> outside_answers_{};  ///< the own addresses of pods: IPv4, IPv6
  Owners owners_;
  std::list<Live> live_;       ///< oldest first
  std::list<Live> displaced_;  ///< to be handed over at the next advance
  /// Datagrams that were told as dropped, while the kernel still has other fragments of them.
  std::list<Live> told_;
  std::size_t all_hops_ = 0;       ///< number of hops of all packets in live_
  std::size_t usual_hops_ = 12;    ///< number of hops of the packet that was told last
  std::uint64_t lossy_until_ = 0;  ///< CLOCK_MONOTONIC; a packet that began by then may lack hops
  Incomplete lossy_why_ = Incomplete::kNo;
  std::uint64_t steps_ = 0;  ///< number of time steps that have passed
  std::uint64_t next_id_ = 1;
  std::uint64_t forgotten_ = 0;
};

}  // namespace dptrace
