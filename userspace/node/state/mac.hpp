// MAC addresses as text.
#pragma once

#include <libmnl/libmnl.h>

#include <cstdint>
#include <string>

namespace dptrace {

/// `22:47:9a:ce:70:88`; empty when the attribute has another size.
std::string mac_text(const nlattr* attribute);

/// The MAC address of a device of the calling thread's netns; empty: it has none, or has gone.
std::string device_mac(std::uint32_t device);

}  // namespace dptrace
