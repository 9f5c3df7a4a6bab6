// Which packet does an event belong to? By content, checked by the skb's address.
//
// The key of an event hashes what NAT and encapsulation leave alone, so it follows a packet through
// both, over the wire of a veth, through clones and OVS's re-injection. Two packets may have equal
// keys (equal datagrams without an IP id): then the skb's address tells them apart, and that a
// packet crosses a device only once with the same TTL. Parts of a packet (TCP segments of a GSO
// skb, IP fragments) have keys of their own and are found by what they are part of.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "timeline/live.hpp"

namespace dptrace {

class Identity {
 public:
  /// What an event is to the packet it was found for.
  enum class Relation { kSame, kPart };
  struct Found {
    Live* live = nullptr;
    Relation relation = Relation::kSame;
  };

  /// The packet that `hop` belongs to, or null: a new one.
  Found find(const dpt_hop& hop);
  /// From now on `hop`'s key and skb lead to `live`.
  void enter(Live& live, const dpt_hop& hop);
  /// Live TCP packets that GRO merged into `live`, which has grown to `payload` bytes. They are to
  /// be ended.
  std::vector<Live*> absorbed_by(const Live& live, std::uint32_t payload) const;
  /// `live` is about to go away.
  void leave(Live& live);

 private:
  Live* by_content(const dpt_hop& hop) const;
  Live* by_stream(const dpt_hop& hop) const;
  Live* by_datagram(const dpt_hop& hop) const;

  using Chains = std::unordered_map<std::uint64_t, std::vector<Live*>>;
  Chains keys_;
  Chains streams_;
  std::unordered_map<std::uint64_t, Live*> places_;     ///< by key and skb
  std::unordered_map<std::uint64_t, Live*> datagrams_;  ///< by addresses, protocol and IP id
};

/// Bytes of TCP payload, 0 for other protocols. `hop.length` counts, for GSO of more than 64 KiB
/// has no IP length.
std::uint32_t tcp_payload(const dpt_hop& hop);

/// Has the packet crossed this device at this point already? With a lower TTL it is the next round
/// of a loop.
bool has_crossed(const Packet& packet, const dpt_hop& hop);

}  // namespace dptrace
