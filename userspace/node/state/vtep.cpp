#include "node/state/vtep.hpp"

#include <linux/neighbour.h>

#include <array>

#include "node/netlink.hpp"
#include "node/state/mac.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kAll = "00:00:00:00:00:00";

struct Search {
  std::uint32_t device;
  const std::string& mac;
  std::vector<std::optional<Address>> found{};
};

int take_entry(const nlmsghdr* message, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message));
  if (static_cast<std::uint32_t>(info->ndm_ifindex) != search.device) return MNL_CB_OK;
  bool is_sought = false;
  std::optional<Address> vtep;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NDA_DST) vtep = address_attribute(attribute);
    if (mnl_attr_get_type(attribute) != NDA_LLADDR) return;
    const std::string mac = mac_text(attribute);
    is_sought = mac == search.mac || mac == kAll;
  });
  if (is_sought) search.found.push_back(vtep);
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<std::optional<Address>>> find_vteps(std::uint32_t device,
                                                       const std::string& mac) {
  alignas(nlmsghdr) std::array<char, 64> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGH;
  auto* info = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  info->ndm_family = PF_BRIDGE;
  info->ndm_ifindex = static_cast<int>(device);
  Search search{device, mac};
  const int error = run_dump(request, take_entry, &search, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("a forwarding database", error));
  return std::move(search.found);
}

}  // namespace dptrace
