// libFuzzer: the messages of rtnetlink about links, addresses and routes, and the roles of devices
// that follow from them.
#include <linux/rtnetlink.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "node/roles.hpp"
#include "node/topology.hpp"

namespace {

// The devices of a netns are compared with each other.
constexpr std::size_t kMostLinks = 64;

void take(const nlmsghdr* message, dptrace::NetnsTopology& topology) {
  switch (message->nlmsg_type) {
    case RTM_NEWLINK:
      if (auto link = dptrace::parse_link(message); link && topology.links.size() < kMostLinks)
        topology.links.push_back(std::move(*link));
      break;
    case RTM_NEWADDR:
      dptrace::parse_address(message, topology.addresses);
      break;
    case RTM_NEWROUTE:
      dptrace::parse_next_hops(message, topology.next_hops);
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::size_t whole = size;
  // Each in an allocation that ends where it does. The kernel's lengths are whole, and the next
  // message is where the length says: the loop over a datagram is libmnl's (mnl_cb_run).
  dptrace::NetnsTopology topology;
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, data, sizeof header);
    const std::size_t length = std::clamp<std::size_t>(header.nlmsg_len, sizeof header, size);
    header.nlmsg_len = static_cast<std::uint32_t>(length);
    std::vector<std::uint8_t> bytes(data, data + length);
    std::memcpy(bytes.data(), &header, sizeof header);
    take(reinterpret_cast<const nlmsghdr*>(bytes.data()), topology);
    const std::size_t step = std::min<std::size_t>(MNL_ALIGN(length), size);
    data += step;
    size -= step;
  }
  if (topology.addresses.size() > whole || topology.next_hops.size() > whole) std::abort();
  dptrace::is_node_like(topology);
  for (const auto& interface : dptrace::interfaces(1, topology)) {
    const auto* link = topology.link(interface.id.index);
    if (link == nullptr) std::abort();
    dptrace::is_datapath_device(*link, interface.role);
  }
  return 0;
}
