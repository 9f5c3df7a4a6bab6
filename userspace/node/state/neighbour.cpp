#include "node/state/neighbour.hpp"

#include <linux/neighbour.h>

#include <array>

#include "node/netlink.hpp"
#include "node/state/mac.hpp"

namespace dptrace {

namespace {

struct Search {
  Address address;
  std::uint32_t device;
  std::vector<Neighbour> found;
};

int take_neighbour(const nlmsghdr* message, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  Neighbour neighbour{static_cast<std::uint32_t>(info->ndm_ifindex), info->ndm_state};
  if (search.device != 0 && neighbour.device != search.device) return MNL_CB_OK;
  bool is_sought = false;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NDA_DST) {
      const auto address = address_attribute(attribute);
      is_sought = address && *address == search.address;
    }
    if (mnl_attr_get_type(attribute) == NDA_LLADDR) neighbour.mac = mac_text(attribute);
    if (mnl_attr_get_type(attribute) == NDA_PROBES) neighbour.probes = mnl_attr_get_u32(attribute);
  });
  if (is_sought) search.found.push_back(std::move(neighbour));
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<Neighbour>> find_neighbours(const Address& address, std::uint32_t device) {
  alignas(nlmsghdr) std::array<char, 128> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGH;
  auto* info = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  info->ndm_family = address.is_ipv4() ? AF_INET : AF_INET6;
  // Of a node's table only that device's entries are told.
  if (device != 0) mnl_attr_put_u32(request, NDA_IFINDEX, device);
  Search search{address, device, {}};
  const int error = run_dump(request, take_neighbour, &search, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("neighbours", error));
  return std::move(search.found);
}

std::optional<Neighbour> find_neighbour(const Address& address, std::uint32_t device) {
  alignas(nlmsghdr) std::array<char, 128> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGH;
  auto* info = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  info->ndm_family = address.is_ipv4() ? AF_INET : AF_INET6;
  info->ndm_ifindex = static_cast<int>(device);
  put_address(request, NDA_DST, address);
  Search search{address, device, {}};
  const auto error = ask_route_netlink(request, "a neighbour", take_neighbour, &search);
  if (!error || *error != 0 || search.found.empty()) return {};
  return std::move(search.found.front());
}

std::string neighbour_state(std::uint16_t state) {
  if (state & NUD_FAILED) return "FAILED";
  if (state & NUD_INCOMPLETE) return "INCOMPLETE";
  if (state & NUD_REACHABLE) return "REACHABLE";
  if (state & NUD_PERMANENT) return "PERMANENT";
  if (state & NUD_STALE) return "STALE";
  if (state & NUD_DELAY) return "DELAY";
  if (state & NUD_PROBE) return "PROBE";
  return "NOARP";
}

}  // namespace dptrace
