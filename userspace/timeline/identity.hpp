// Identity finds the packet that an event belongs to.
//
// An skb is followed while its key, a hash of its content, stays the same; a change of its tuple is
// then NAT. The kernel uses the address of a freed skb again at once, so an event is not taken for
// one of an skb that has ended, nor for one of an skb that is back at its sender. An event of an
// unknown skb belongs to a packet of the same content and of the tuple that was last seen of it:
// the packet has got another skb (a clone, a copy, OVS's re-injection). A part has a key of its
// own, and is found by its range in the datagram or stream.
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
    kPart,  ///< an skb that carries a part of the packet, or the whole packet when parts were seen
            ///< first
  };
  struct Found {
    Relation relation = Relation::kNone;
    Live* live = nullptr;
    std::uint16_t branch = kNoParent;
    Range range;  ///< bytes of the packet that the event's skb carries
  };

  Found find(const Sighting& seen) const;
  /// The branch that has this skb and this content, if it has not ended.
  Found find(std::uint64_t skb, std::uint64_t key) const;
  /// Does what find() does, and finds an skb also after its end.
  Found find_ended(std::uint64_t skb, std::uint64_t key) const;

  /// Makes the branch, in its present state, known to find() by its skb, its content and its
  /// datagram or stream.
  void enter(Live& live, std::uint16_t branch, const Sighting& seen);
  /// The TCP packets of the same stream that begin behind the beginning of `live` and less than
  /// `length` bytes from it, and repeat none of its bytes: GRO has merged them into `live`.
  std::vector<Live*> merged_into(const Live& live, std::uint32_t length) const;
  /// Forgets `live`, which is about to be destroyed.
  void leave(Live& live);

 private:
  Found by_skb(const Sighting& seen) const;
  Found by_content(const Sighting& seen) const;
  Found by_datagram(const Sighting& seen) const;
  Found by_reassembled(const Sighting& seen) const;
  Found by_stream(const Sighting& seen) const;

  struct Place {
    Live* live = nullptr;
    std::uint16_t branch = 0;
  };
  using Chains = std::unordered_map<std::uint64_t, std::vector<Live*>>;
  std::unordered_map<std::uint64_t, Place> skbs_;
  Chains contents_;   ///< indexed by key and tuple
  Chains streams_;    ///< indexed by tuple: TCP with payload, UDP GSO
  Chains datagrams_;  ///< indexed by addresses, protocol and IP id: fragments, and datagrams that
                      ///< may be fragmented; and by tuple: IPv6 datagrams in fragments
};

}  // namespace dptrace
