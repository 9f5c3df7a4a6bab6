// A TCP socket that listens at exactly the address that the user gave.
#pragma once

#include <cstdint>

#include "metrics/listen_address.hpp"
#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// Non-blocking. `address.port` 0: any that is free. `[::]` is IPv6 only. A socket that a service
/// manager has passed and that listens there is taken instead of a new one.
Result<OwnedFd> listen_on(const ListenAddress& address);

/// The port it listens on.
std::uint16_t port_of(const OwnedFd& socket);

}  // namespace dptrace
