#include "node/state/packet_queues.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

namespace dptrace {

namespace {

// Its own `self` would be the process, which may be in another netns than the thread.
constexpr const char* kFile = "/proc/thread-self/net/netfilter/nfnetlink_queue";

}  // namespace

std::vector<PacketQueue> parse_packet_queues(std::istream& lines) {
  std::vector<PacketQueue> queues;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    PacketQueue queue;
    std::uint32_t port = 0, mode = 0, range = 0;
    if (fields >> queue.number >> port >> queue.waiting >> mode >> range >> queue.dropped)
      queues.push_back(queue);
  }
  return queues;
}

Result<std::vector<PacketQueue>> read_packet_queues() {
  std::ifstream file(kFile);
  if (file) return parse_packet_queues(file);
  // Without the module nobody can read one.
  if (errno == ENOENT) return std::vector<PacketQueue>();
  return failure(fmt::format("{}: {}", kFile, std::strerror(errno)));
}

}  // namespace dptrace
