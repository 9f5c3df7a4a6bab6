// Connections keeps what tells whether a TCP segment that no socket takes was lost: what each end
// of a connection has acknowledged, and whether the ends have closed.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "dptrace/event.h"
#include "timeline/aging_map.hpp"

namespace dptrace {

class Connections {
 public:
  /// Takes note of a packet as its sender gave it to the network, or as NAT has changed it. The
  /// data that it acknowledges has arrived at its sender.
  void note(const dpt_flow& flow);

  /// True when the sender had already sent all that this segment carries (data, SYN, FIN).
  bool is_retransmission(const dpt_flow& flow) const;

  /// True when the segment asks for a connection: it has SYN and not ACK.
  static bool is_request(const dpt_flow& flow);

  /// `flow` is a request. True when a packet was seen by which its destination has accepted or
  /// refused the connection.
  bool has_answered(const dpt_flow& flow) const;

  /// True when the destination had acknowledged all that this packet carries (data, SYN, FIN).
  /// False also when that is not known, or when the packet carries nothing.
  bool had(const dpt_flow& flow) const;

  /// True when the destination has sent its FIN, so that nothing but TIME_WAIT may be left of the
  /// connection, and the packet brings no data that would be new to the destination. New data would
  /// be lost.
  bool meets_time_wait(const dpt_flow& flow) const;

  /// True when the destination has sent a FIN or a RST, and the sender has not sent a FIN yet. An
  /// application that may still read has a socket, which takes the data.
  bool receiver_has_left(const dpt_flow& flow) const;

  /// True when the packet brings nothing (no data, no SYN) and its connection is over: both ends
  /// have sent their FIN, or one end has reset the connection.
  bool is_afterword(const dpt_flow& flow) const;

  /// True when the packet is a RST of a connection in which its destination has acknowledged
  /// something.
  bool resets_known(const dpt_flow& flow) const;

 private:
  // A key names one end of a connection: its address and port, and those of its peer.
  using Key = std::array<char, 36>;
  struct Hash {
    template <std::size_t Size>
    std::size_t operator()(const std::array<char, Size>& key) const {
      return std::hash<std::string_view>()({key.data(), key.size()});
    }
  };
  struct End {
    std::uint32_t acknowledged = 0;  ///< highest acknowledgment number that the end has sent
    std::uint32_t sent = 0;          ///< sequence number behind the last byte that the end has sent
    std::uint32_t first = 0;         ///< sequence number of its SYN
    bool has_first = false;
    bool has_acknowledged = false;
    bool has_sent = false;
    bool closed = false;  ///< it has sent a FIN
    bool reset = false;   ///< it has sent a RST
  };
  /// A request is named by its sender's address and port and by its sequence number; the answer
  /// acknowledges that number plus 1.
  using Request = std::array<char, 22>;
  template <typename Key, typename Value>
  using Map = AgingMap<Key, Value, Hash>;
  struct Place {
    dpt_address address;
    std::uint16_t port;
  };

  /// The key of the end at `end`, whose peer is at `peer`.
  static Key key_of(const Place& end, const Place& peer);
  static Request request_of(const Place& client, std::uint32_t sequence);
  Key sender_key(const dpt_flow& flow) const;
  Key receiver_key(const dpt_flow& flow) const;
  /// The same end under the addresses that its connection was first seen with.
  Key known(const Key& key) const;
  void note_request(const dpt_flow& flow);
  void note_answer(const dpt_flow& flow);
  /// Null when the end is not known.
  const End* sender_of(const dpt_flow& flow) const;
  const End* receiver_of(const dpt_flow& flow) const;

  Map<Key, End> ends_{8192};
  // NAT before the first look gives the two directions of a connection different addresses: a
  // redirection in a pod's own OUTPUT chain is undone before the answer comes to its first device.
  Map<Request, Place> requests_{8192};  ///< the destination that each request had when it was seen
  Map<Key, Key> first_names_{8192};
};

}  // namespace dptrace
