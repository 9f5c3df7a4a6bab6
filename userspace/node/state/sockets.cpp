#include "node/state/sockets.hpp"

#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <string>

namespace dptrace {

namespace {

constexpr unsigned kListens = 10;  // TCP_LISTEN

std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = line.find_first_not_of(' ');
    if (begin == std::string_view::npos) return words;
    const std::size_t end = std::min(line.find(' ', begin), line.size());
    words.push_back(line.substr(begin, end - begin));
    line.remove_prefix(end);
  }
}

template <typename Number>
bool read_number(std::string_view text, Number& value, int base) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

// The kernel prints an address as one or four words of the machine's own byte order.
std::optional<Address> address_of(std::string_view hex, bool ipv6) {
  const std::size_t words = ipv6 ? 4 : 1;
  if (hex.size() != 8 * words) return {};
  dpt_address wire{};
  if (!ipv6) wire.bytes[10] = wire.bytes[11] = 0xff;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word = 0;
    if (!read_number(hex.substr(8 * i, 8), word, 16)) return {};
    std::memcpy(wire.bytes + (ipv6 ? 0 : 12) + 4 * i, &word, sizeof word);
  }
  return Address(wire);
}

}  // namespace

void parse_sockets(std::string_view table, bool tcp, bool ipv6, std::uint16_t port,
                   std::vector<BoundSocket>& sockets) {
  while (!table.empty()) {
    const std::size_t end = std::min(table.find('\n'), table.size());
    // sl local_address rem_address st tx_queue:rx_queue ... inode ref pointer drops
    const auto words = words_of(table.substr(0, end));
    table.remove_prefix(std::min(end + 1, table.size()));
    if (words.size() < 5) continue;
    const std::size_t colon = words[1].find(':');
    std::uint16_t bound = 0;
    unsigned state = 0;
    if (colon == std::string_view::npos || !read_number(words[1].substr(colon + 1), bound, 16) ||
        bound != port || !read_number(words[3], state, 16) || (tcp && state != kListens))
      continue;
    const auto address = address_of(words[1].substr(0, colon), ipv6);
    if (!address) continue;
    BoundSocket socket{*address, false, ipv6};
    socket.any = words[1].substr(0, colon).find_first_not_of('0') == std::string_view::npos;
    if (words.size() >= 10) read_number(words[9], socket.inode, 10);
    if (!tcp && words.size() >= 13) {
      const std::size_t queue = words[4].find(':');
      if (queue != std::string_view::npos)
        read_number(words[4].substr(queue + 1), socket.waiting, 16);
      read_number(words[12], socket.drops, 10);
    }
    sockets.push_back(socket);
  }
}

namespace {

// Whoever has more sockets than this in his table is not waited for.
constexpr std::size_t kMostLines = 500'000;

// False when the table was not read whole: then nothing is known of a socket that is missing.
bool read_table(const char* name, bool tcp, bool ipv6, std::uint16_t port,
                std::vector<BoundSocket>& sockets) {
  std::ifstream file(std::string("/proc/thread-self/net/") + name);
  if (!file) return ipv6;  // a kernel without IPv6
  std::string line;
  for (std::size_t lines = 0; std::getline(file, line); ++lines) {
    if (lines == kMostLines) return false;
    parse_sockets(line, tcp, ipv6, port, sockets);
  }
  return file.eof();
}

}  // namespace

std::optional<std::vector<BoundSocket>> sockets_of_port(std::uint8_t protocol, std::uint16_t port) {
  const bool tcp = protocol == IPPROTO_TCP;
  std::vector<BoundSocket> sockets;
  if (!read_table(tcp ? "tcp" : "udp", tcp, false, port, sockets)) return {};
  if (!read_table(tcp ? "tcp6" : "udp6", tcp, true, port, sockets)) return {};
  return sockets;
}

}  // namespace dptrace
