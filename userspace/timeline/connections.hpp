// TCP connections as far as they tell whether a segment that no socket takes was lost: what each
// end has acknowledged, and whether the ends have closed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dptrace/event.h"
#include "timeline/aging_map.hpp"

namespace dptrace {

class Connections {
 public:
  /// A packet as its sender gave it to the network, or as NAT has made it: what it acknowledges has
  /// arrived at its sender.
  void note(const dpt_flow& flow);

  /// Was all that this segment carries sent before?
  bool is_retransmission(const dpt_flow& flow) const;

  /// Does it ask for a connection?
  static bool is_request(const dpt_flow& flow);

  /// Of a request: has its destination accepted or refused it, by a packet that was seen?
  bool has_answered(const dpt_flow& flow) const;

  /// Had its destination acknowledged all that this packet carries (data, SYN, FIN)? False also
  /// when that is not known, or when it carries nothing.
  bool had(const dpt_flow& flow) const;

  /// Has its destination sent its FIN, so that nothing but TIME_WAIT may be left of it, and does
  /// the packet bring no data that would be new to it? New data would be lost.
  bool meets_time_wait(const dpt_flow& flow) const;

  /// Has its destination sent a FIN or a RST, and the sender not yet? Whoever may still read has a
  /// socket that takes data.
  bool receiver_has_left(const dpt_flow& flow) const;

  /// Does the packet bring nothing (no data, no SYN), and is its connection over: both ends have
  /// sent their FIN, or one has reset it?
  bool is_afterword(const dpt_flow& flow) const;

  /// Is it a reset of a connection that its destination has answered to?
  bool resets_known(const dpt_flow& flow) const;

 private:
  // Addresses and ports, those of the end that is meant first.
  using Key = std::array<char, 36>;
  struct Hash {
    template <std::size_t Size>
    std::size_t operator()(const std::array<char, Size>& key) const {
      return std::hash<std::string_view>()({key.data(), key.size()});
    }
  };
  struct End {
    std::uint32_t acknowledged = 0;  ///< of the other end's sequence numbers
    std::uint32_t sent = 0;          ///< behind the last byte that it has sent
    std::uint32_t first = 0;         ///< sequence number of its SYN
    bool has_first = false;
    bool has_acknowledged = false;
    bool has_sent = false;
    bool closed = false;  ///< it has sent a FIN
    bool reset = false;   ///< it has sent a RST
  };
  /// A request: its sender and the sequence number, behind which the answer's acknowledgment is.
  using Request = std::array<char, 22>;
  template <typename Key, typename Value>
  using Map = AgingMap<Key, Value, Hash>;
  struct Place {
    dpt_address address;
    std::uint16_t port;
  };

  /// Of the end at the first place, towards the second.
  static Key key_of(const Place& end, const Place& peer);
  static Request request_of(const Place& client, std::uint32_t sequence);
  Key sender_key(const dpt_flow& flow) const;
  Key receiver_key(const dpt_flow& flow) const;
  /// Under the address that its connection was first seen with.
  Key known(const Key& key) const;
  void note_request(const dpt_flow& flow);
  void note_answer(const dpt_flow& flow);
  /// Null when it has not been heard of.
  const End* sender_of(const dpt_flow& flow) const;
  const End* receiver_of(const dpt_flow& flow) const;

  Map<Key, End> ends_{8192};
  // Where NAT comes before the first look, both ways of a connection have different addresses: a
  // redirection at a pod's own OUTPUT is undone before the answer's first device.
  Map<Request, Place> requests_{8192};  ///< whom they were sent to
  Map<Key, Key> first_names_{8192};
};

}  // namespace dptrace
