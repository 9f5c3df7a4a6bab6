// Identity finds the packet that an event belongs to.
//
// An skb is followed while its content, the key, stays the same: whatever its tuple becomes is NAT.
// Its address is recycled at once, so nothing is believed of an skb behind its end, nor of one that
// is back at its sender. An event of an unknown skb belongs to a packet of the same content under
// the tuple that was last seen of it: the packet got another skb (a clone, a copy, OVS's
// re-injection). A part has a key of its own and is found by the range of the datagram or stream.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "timeline/sighting.hpp"
#include "verdict/live.hpp"

namespace dptrace {

class Identity {
 public:
  enum class Relation : std::uint8_t {
    kNone,     ///< a new packet
    kSameSkb,  ///< `branch` goes on
    kCopy,     ///< another skb with the content of `branch`
    kPart,     ///< an skb that carries a part of the packet, or the whole of which parts were seen
  };
  struct Found {
    Relation relation = Relation::kNone;
    Live* live = nullptr;
    std::uint16_t branch = kNoParent;
    Range range;  ///< of the packet, that the event's skb carries
  };

  Found find(const Sighting& seen) const;
  /// The branch that has this skb and this content, if it has not ended.
  Found find(std::uint64_t skb, std::uint64_t key) const;

  /// From now on the branch, as it is, is found by its skb, its content and what it carries.
  void enter(Live& live, std::uint16_t branch, const Sighting& seen);
  /// TCP packets of the same stream that begin behind `live` and within `length` bytes of its
  /// beginning: GRO merged them into it.
  std::vector<Live*> merged_into(const Live& live, std::uint32_t length) const;
  /// `live` is about to go away.
  void leave(Live& live);

 private:
  Found by_skb(const Sighting& seen) const;
  Found by_content(const Sighting& seen) const;
  Found by_datagram(const Sighting& seen) const;
  Found by_stream(const Sighting& seen) const;

  struct Place {
    Live* live = nullptr;
    std::uint16_t branch = 0;
  };
  using Chains = std::unordered_map<std::uint64_t, std::vector<Live*>>;
  std::unordered_map<std::uint64_t, Place> skbs_;
  Chains contents_;   ///< by key and tuple
  Chains streams_;    ///< by tuple: TCP with payload, UDP GSO
  Chains datagrams_;  ///< by addresses, protocol and IP id: fragments and what may become some
};

}  // namespace dptrace
