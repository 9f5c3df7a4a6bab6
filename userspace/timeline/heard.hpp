// Heard keeps when somebody was last sent something by whom: a request was answered if its receiver
// was heard of since, and a pod's address is routed outside if packets to it come from there.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dptrace/event.h"
#include "timeline/aging_map.hpp"

namespace dptrace {

class Heard {
 public:
  /// Takes note of a packet where it is met for the first time, .as_it_came, or where NAT has
  /// changed it.
  void note(const dpt_flow& flow, std::uint64_t time_ns, bool as_it_came);

  /// True when the packet's destination, or anybody by an ICMP error, has sent something to its
  /// source since.
  bool has_answered(const dpt_flow& flow, std::uint64_t since_ns) const;

  /// True when the packet's destination has ever sent something to this very source address.
  bool reaches(const dpt_flow& flow) const;

 private:
  using Pair = std::array<char, 32>;  ///< who, to whom
  struct Hash {
    std::size_t operator()(const Pair& pair) const {
      return std::hash<std::string_view>()({pair.data(), pair.size()});
    }
  };
  struct Sent {
    std::uint64_t last_ns = 0;
    bool as_it_came = false;
  };

  static Pair pair_of(const dpt_address& from, const dpt_address& to);

  AgingMap<Pair, Sent, Hash> pairs_{4096};
};

}  // namespace dptrace
