#include "node/state/neighbour.hpp"

#include <linux/neighbour.h>

#include <algorithm>
#include <array>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

struct Search {
  Address address;
  std::uint32_t device;
  std::optional<Neighbour> found;
};

int take_neighbour(const nlmsghdr* message, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  if (static_cast<std::uint32_t>(info->ndm_ifindex) != search.device) return MNL_CB_OK;
  Neighbour neighbour{info->ndm_state};
  bool is_sought = false;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NDA_LLADDR) {
      const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
      if (auto& mac = neighbour.mac.emplace(); mnl_attr_get_payload_len(attribute) == mac.size())
        std::copy_n(bytes, mac.size(), mac.begin());
      else
        neighbour.mac.reset();
    }
    if (mnl_attr_get_type(attribute) != NDA_DST) return;
    const auto address = address_attribute(attribute);
    is_sought = address && *address == search.address;
  });
  if (is_sought) search.found = neighbour;
  return MNL_CB_OK;
}

}  // namespace

Result<std::optional<Neighbour>> find_neighbour(const Address& address, std::uint32_t device) {
  alignas(nlmsghdr) std::array<char, 128> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGH;
  auto* info = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  info->ndm_family = address.is_ipv4() ? AF_INET : AF_INET6;
  mnl_attr_put_u32(request, NDA_IFINDEX, device);  // of a node's table only that device's entries
  Search search{address, device, {}};
  const int error = run_dump(request, take_neighbour, &search, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("neighbours", error));
  return search.found;
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
