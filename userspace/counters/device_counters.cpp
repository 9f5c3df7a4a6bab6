#include "counters/device_counters.hpp"

#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cstddef>
#include <cstring>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

struct Field {
  std::string_view name;
  std::size_t offset;
};
// rx_nohandler and rx_otherhost_dropped are left out: frames that were for nobody here are no loss.
constexpr std::array<Field, 7> kFields = {{
    {"rx_dropped", offsetof(rtnl_link_stats64, rx_dropped)},
    {"tx_dropped", offsetof(rtnl_link_stats64, tx_dropped)},
    {"rx_errors", offsetof(rtnl_link_stats64, rx_errors)},
    {"tx_errors", offsetof(rtnl_link_stats64, tx_errors)},
    {"rx_missed_errors", offsetof(rtnl_link_stats64, rx_missed_errors)},
    {"rx_over_errors", offsetof(rtnl_link_stats64, rx_over_errors)},
    {"rx_fifo_errors", offsetof(rtnl_link_stats64, rx_fifo_errors)},
}};

// Kernels append fields to messages. Returns false for a field that the message does not reach.
template <typename T>
bool read_field(const nlattr* attribute, std::size_t offset, T& value) {
  if (mnl_attr_get_payload_len(attribute) < offset + sizeof value) return false;
  std::memcpy(&value, static_cast<const char*>(mnl_attr_get_payload(attribute)) + offset,
              sizeof value);
  return true;
}

// A request fits into so many bytes with the header of either dump.
constexpr std::size_t kRequestBytes = 64;

template <typename Header>
Result<std::vector<CounterReading>> dump_counters(
    const char* what, std::uint16_t type, const Header& header,
    void (*parse)(const nlmsghdr*, std::vector<CounterReading>&), std::size_t most) {
  return dump_with<CounterReading>(
      what,
      [&](mnl_cb_t on_message, void* context) {
        alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
        nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
        request->nlmsg_type = type;
        std::memcpy(mnl_nlmsg_put_extra_header(request, sizeof header), &header, sizeof header);
        return run_dump(request, on_message, context);
      },
      parse, most);
}

}  // namespace

void parse_device_counters(const nlmsghdr* message, std::vector<CounterReading>& readings) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(if_stats_msg)) return;
  const auto* header = static_cast<const if_stats_msg*>(mnl_nlmsg_get_payload(message));
  for_each_attribute(message, sizeof *header, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) != IFLA_STATS_LINK_64) return;
    for (const Field& field : kFields) {
      std::uint64_t value = 0;
      if (read_field(attribute, field.offset, value)) {
        readings.push_back({.name = field.name, .index = header->ifindex, .value = value});
      }
    }
  });
}

void parse_qdisc_counters(const nlmsghdr* message, std::vector<CounterReading>& readings) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg)) return;
  const auto* header = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
  if (header->tcm_parent != TC_H_ROOT && header->tcm_parent != TC_H_INGRESS) return;
  for_each_attribute(message, sizeof *header, [&](const nlattr* stats) {
    if (mnl_attr_get_type(stats) != TCA_STATS2) return;
    for_each_nested(stats, [&](const nlattr* attribute) {
      std::uint32_t drops = 0;
      if (mnl_attr_get_type(attribute) != TCA_STATS_QUEUE ||
          !read_field(attribute, offsetof(gnet_stats_queue, drops), drops)) {
        return;
      }
      readings.push_back({.name = header->tcm_parent == TC_H_ROOT ? "drops" : "ingress drops",
                          .index = static_cast<std::uint32_t>(header->tcm_ifindex),
                          .generation = header->tcm_handle,
                          .value = drops,
                          .is_32_bit = true});
    });
  });
}

Result<std::vector<CounterReading>> read_device_counters(std::size_t most) {
  if_stats_msg header{};
  header.filter_mask = IFLA_STATS_FILTER_BIT(IFLA_STATS_LINK_64);
  return dump_counters("counters of network interfaces", RTM_GETSTATS, header,
                       parse_device_counters, most);
}

Result<std::vector<CounterReading>> read_qdisc_counters(std::size_t most) {
  return dump_counters("queueing disciplines", RTM_GETQDISC, tcmsg{}, parse_qdisc_counters, most);
}

}  // namespace dptrace
