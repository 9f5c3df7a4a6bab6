// The ports of the bridges of the calling thread's network namespace: what each lets in and out,
// and which MAC addresses are behind it.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct BridgePort {
  std::uint32_t index = 0;
  std::uint32_t bridge = 0;            ///< index
  std::uint8_t state = 0;              ///< BR_STATE_*
  bool hairpin = false;                ///< it may send a frame that came in by it
  bool isolated = false;               ///< it sends nothing to other isolated ports
  bool floods = false;                 ///< frames to unknown addresses leave by it, too
  bool locked = false;                 ///< it takes frames only from addresses that are known
  std::uint16_t pvid = 0;              ///< VLAN of frames without a tag; 0: they are dropped
  std::vector<std::uint16_t> vlans{};  ///< of which it is a member

  bool forwards() const;
  /// True when it takes what comes in, be it only to learn its source.
  bool lets_in() const;
  bool has_vlan(std::uint16_t vlan) const;
};

Result<std::vector<BridgePort>> read_bridge_ports();

/// The port that a message of AF_BRIDGE is about; nothing when it is a bridge itself.
std::optional<BridgePort> parse_bridge_port(const nlmsghdr* message);

/// `disabled`, `listening`, `learning`, `forwarding`, `blocking`, as `bridge link` calls it.
std::string_view port_state(std::uint8_t state);

/// Indices of the ports behind which a bridge knows a MAC address (`22:47:9a:ce:70:88`); that of
/// the bridge when it is its own. Several: it is told of several VLANs.
Result<std::vector<std::uint32_t>> find_ports_of(std::uint32_t bridge, const std::string& mac);

}  // namespace dptrace
