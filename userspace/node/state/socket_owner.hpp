// socket_owners() tells which programs have a socket of the calling thread's network namespace
// open.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace dptrace {

/// `python3 (pid 1234)` of the first `most` processes of that netns that have it open. The pid is
/// that of dptrace's own pid namespace. Empty when none was found: the search looks at a bounded
/// number of descriptors, and not at a process in another netns that was handed the socket.
std::vector<std::string> socket_owners(std::uint64_t inode, std::size_t most);

}  // namespace dptrace
