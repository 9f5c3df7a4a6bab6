// The forwarding database of a VXLAN device: to which VTEP a MAC address is sent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/address.hpp"
#include "model/result.hpp"

namespace dptrace {

/// The VTEPs to which the device sends what is for the MAC address (`22:47:9a:ce:70:88`): those of
/// its own entries, and of the entries for all. An entry without an address stands for the device's
/// own remote one.
Result<std::vector<std::optional<Address>>> find_vteps(std::uint32_t device,
                                                       const std::string& mac);

}  // namespace dptrace
