// The forwarding database of a VXLAN device: to which VTEP a MAC address is sent.
#pragma once

#include <cstdint>
#include <string>

#include "model/result.hpp"

namespace dptrace {

/// True when the device has an entry for the MAC address (`22:47:9a:ce:70:88`), or one for all.
Result<bool> has_vtep(std::uint32_t device, const std::string& mac);

}  // namespace dptrace
