// ReplyWays keeps by which device each request for a connection came to the node, and tells of its
// answer that it leaves by another one in vain.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "dptrace/event.h"
#include "timeline/aging_map.hpp"

namespace dptrace {

class ReplyWays {
 public:
  /// True when it wants to see the hop, if that is at a device that may lead out of the node.
  bool wants(const dpt_hop& hop) const;

  /// The device by which the request came, if this hop is its answer, which leaves by another
  /// device although the request was sent again after an answer had left that way. Nothing once an
  /// answer has arrived by those two ways: such a network is meant to be so.
  std::optional<std::uint32_t> see(const dpt_hop& hop);

  /// The device by which the request came that this packet answers; 0: it answers none, or that is
  /// not known.
  std::uint32_t asked_by(const dpt_hop& answer) const;

 private:
  /// A connection as the network outside sees it: netns, the client's end, the server's end.
  using Key = std::array<char, 40>;
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()({key.data(), key.size()});
    }
  };
  struct Request {
    std::uint32_t sequence = 0;
    std::uint32_t first_by = 0;  ///< the device that had it first: a bond's port, before the bond
    std::uint32_t came_by = 0;   ///< the device that had it last
    std::uint32_t answered_by = 0;
    bool again = false;  ///< it came again after it was answered by another device
    // The answer that left last: the devices below, a bond's or a VLAN's, see it again.
    std::uint64_t answer_skb = 0;
    std::uint64_t answer_ns = 0;
    bool in_vain = false;
  };
  using Ways = std::pair<std::uint32_t, std::uint32_t>;  ///< in, out

  static Key key_of(const dpt_hop& hop, bool by_client);
  /// Null when the hop is of no answer to a known request.
  const Request* answered(const dpt_hop& hop) const;
  void see_request(const dpt_hop& hop);
  std::optional<std::uint32_t> see_answer(const dpt_hop& hop);
  void see_more(const dpt_hop& hop);

  AgingMap<Key, Request, Hash> requests_{4096};
  std::set<std::pair<std::uint32_t, Ways>> working_;  ///< by netns
  bool has_crossed_ = false;  ///< some answer left by another device than its request came by
};

}  // namespace dptrace
