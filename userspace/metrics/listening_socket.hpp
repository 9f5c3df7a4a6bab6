// A listening socket is a TCP socket that listens at exactly the address that the user gave.
#pragma once

#include <cstdint>

#include "metrics/listen_address.hpp"
#include "model/result.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

/// The socket is non-blocking. With port 0 it gets any port that is free; `[::]` is IPv6 only. A
/// socket that a service manager has passed and that listens there is taken instead of a new one.
Result<OwnedFd> listen_on(const ListenAddress& address);

/// The port on which the socket listens.
std::uint16_t port_of(const OwnedFd& socket);

}  // namespace dptrace
