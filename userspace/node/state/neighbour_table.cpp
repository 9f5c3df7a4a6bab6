#include "node/state/neighbour_table.hpp"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstring>
#include <optional>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

struct Search {
  std::uint8_t family;
  std::optional<NeighbourTable> found;
};

template <typename Struct>
bool read_struct(const nlattr* attribute, Struct& value) {
  if (mnl_attr_get_payload_len(attribute) < sizeof value) return false;
  std::memcpy(&value, mnl_attr_get_payload(attribute), sizeof value);
  return true;
}

// A table is told by one message with its limits, then by one for each device, without them.
int take_table(const nlmsghdr* message, void* data) {
  auto& search = *static_cast<Search*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(ndtmsg)) return MNL_CB_OK;
  const auto* info = static_cast<const ndtmsg*>(mnl_nlmsg_get_payload(message));
  if (info->ndtm_family != search.family) return MNL_CB_OK;
  NeighbourTable table;
  bool has_entries = false, has_limit = false;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    ndt_config config{};
    ndt_stats stats{};
    switch (mnl_attr_get_type(attribute)) {
      case NDTA_THRESH3:
        has_limit = mnl_attr_validate(attribute, MNL_TYPE_U32) == 0;
        if (has_limit) table.most = mnl_attr_get_u32(attribute);
        break;
      case NDTA_CONFIG:
        has_entries = read_struct(attribute, config);
        table.entries = config.ndtc_entries;
        break;
      case NDTA_STATS:
        if (read_struct(attribute, stats)) table.times_full = stats.ndts_table_fulls;
        break;
      default:
        break;
    }
  });
  if (has_entries && has_limit) search.found = table;
  return MNL_CB_OK;
}

}  // namespace

Result<NeighbourTable> read_neighbour_table(std::uint8_t family) {
  alignas(nlmsghdr) std::array<char, 64> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETNEIGHTBL;
  auto* info = static_cast<ndtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndtmsg)));
  info->ndtm_family = family;
  Search search{family, {}};
  const int error = run_dump(request, take_table, &search, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("neighbour tables", error));
  if (!search.found) return failure("the kernel tells no limits of its neighbour table");
  return *search.found;
}

}  // namespace dptrace
