// What each end of a TCP connection has acknowledged, which tells what it had already received, and
// whether it has closed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "dptrace/event.h"

namespace dptrace {

class Received {
 public:
  /// A packet as its sender gave it to the network: what it acknowledges has arrived there.
  void note(const dpt_flow& flow);
  /// Had its destination acknowledged all that this packet with the timestamps option carries?
  /// False also when that is not known.
  bool had(const dpt_flow& flow) const;
  /// Has its destination sent its FIN, so that nothing but TIME_WAIT may be left of it, and does
  /// the packet bring no data that would be new to it? New data would be lost.
  bool meets_time_wait(const dpt_flow& flow) const;

 private:
  // Addresses and ports, of the end that receives.
  using Key = std::array<char, 36>;
  struct Hash {
    std::size_t operator()(const Key& key) const {
      return std::hash<std::string_view>()({key.data(), key.size()});
    }
  };
  struct Receiver {
    std::uint32_t acknowledged = 0;
    bool closed = false;
  };
  using Receivers = std::unordered_map<Key, Receiver, Hash>;

  static Key key_of(const dpt_address& receiver, std::uint16_t receiver_port,
                    const dpt_address& sender, std::uint16_t sender_port);
  /// Null when it has not been heard of.
  const Receiver* receiver_of(const dpt_flow& flow) const;

  // Bounded: when the first is full it becomes the second, whose connections are forgotten unless
  // they have spoken since.
  Receivers recent_;
  Receivers older_;
};

}  // namespace dptrace
