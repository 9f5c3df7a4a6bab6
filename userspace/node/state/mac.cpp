#include "node/state/mac.hpp"

#include <fmt/format.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kMacBytes = 6;

std::string text_of(const std::uint8_t* bytes) {
  return fmt::format("{:02x}", fmt::join(bytes, bytes + kMacBytes, ":"));
}

}  // namespace

std::string mac_text(const nlattr* attribute) {
  if (mnl_attr_get_payload_len(attribute) != kMacBytes) return {};
  return text_of(static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute)));
}

std::string device_mac(std::uint32_t device) {
  ifreq request{};
  const OwnedFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || if_indextoname(device, request.ifr_name) == nullptr ||
      ioctl(socket.get(), SIOCGIFHWADDR, &request) != 0 ||
      request.ifr_hwaddr.sa_family != ARPHRD_ETHER)
    return {};
  return text_of(reinterpret_cast<const std::uint8_t*>(request.ifr_hwaddr.sa_data));
}

}  // namespace dptrace
