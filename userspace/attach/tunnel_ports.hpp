// TunnelPorts tells the BPF programs the UDP ports of VXLAN and Geneve devices, as devices come and
// go.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "node/links.hpp"

namespace dptrace {

class TunnelPorts {
 public:
  /// `ports` has DPT_UDP_PORTS entries. The programs read `ports` and `told`.
  TunnelPorts(std::uint8_t* ports, std::uint32_t* told) : ports_(ports), told_(told) {}

  /// `links` are all links of a netns: what was known of the netns before is no more.
  void set(std::uint32_t netns, const std::vector<Link>& links);

 private:
  using Kinds = std::map<std::uint16_t, std::uint8_t>;  ///< DPT_PORT_* by port

  void tell(std::uint16_t port);

  std::uint8_t* ports_;
  std::uint32_t* told_;
  std::map<std::uint32_t, Kinds> by_netns_;  ///< the namespaces that have any such ports
};

}  // namespace dptrace
