// CaptureSettings says which packets are captured, and how.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/gearbox.hpp"
#include "model/address.hpp"

namespace dptrace {

struct CaptureSettings {
  std::vector<Address> pods;   ///< packets have any of these at either end; empty: any packet
  std::vector<Address> peers;  ///< packets also have any of these at either end; empty: any
  std::uint16_t port = 0;      ///< at either end; 0: any
  std::optional<std::uint8_t> protocol;
  std::vector<std::string>
      interfaces;  ///< shell patterns of the devices that get tc programs; empty: the default set
  std::size_t ring_bytes = 8U << 20;  ///< a power of two, at least a page
  /// The packets a second from which on the node is busy: families that cost something are then let
  /// go of while nothing is followed. 0: the node is never busy.
  std::uint64_t busy_rate = Gearbox::kBusy;
  bool load_all = false;     ///< loads also what is not needed here, to see whether it could be
  bool every_probe = false;  ///< tells tracepoint hops also where tc programs tell the crossing
};

}  // namespace dptrace
