#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "counters/device_counters.hpp"

using namespace dptrace;

namespace {

using Told = std::vector<std::string>;

struct Message {
  template <typename Header>
  Message(std::uint16_t type, const Header& values) {
    header = mnl_nlmsg_put_header(bytes.data());
    header->nlmsg_type = type;
    *static_cast<Header*>(mnl_nlmsg_put_extra_header(header, sizeof values)) = values;
  }
  alignas(nlmsghdr) std::array<char, 1024> bytes{};
  nlmsghdr* header = nullptr;
};

Told told(const nlmsghdr* message, void (*parse)(const nlmsghdr*, std::vector<CounterReading>&)) {
  std::vector<CounterReading> readings;
  parse(message, readings);
  Told told;
  for (const auto& reading : readings) {
    told.push_back(std::string(reading.name) + "@" + std::to_string(reading.index) + "=" +
                   std::to_string(reading.value));
  }
  return told;
}

Message qdisc(std::uint32_t parent) {
  tcmsg header{};
  header.tcm_ifindex = 5;
  header.tcm_handle = 0x10000;
  header.tcm_parent = parent;
  Message message(RTM_NEWQDISC, header);
  auto* nest = mnl_attr_nest_start(message.header, TCA_STATS2);
  gnet_stats_queue queue{};
  queue.drops = 17;
  queue.overlimits = 99;
  mnl_attr_put(message.header, TCA_STATS_QUEUE, sizeof queue, &queue);
  mnl_attr_nest_end(message.header, nest);
  return message;
}

}  // namespace

TEST_CASE("a device's losses are read from its 64-bit counters") {
  if_stats_msg header{};
  header.ifindex = 9;
  rtnl_link_stats64 stats{};
  stats.rx_dropped = 1;
  stats.tx_dropped = 2;
  stats.rx_errors = 3;
  stats.tx_errors = 4;
  stats.rx_missed_errors = 5'000'000'000;
  stats.rx_over_errors = 6;
  stats.rx_fifo_errors = 7;
  stats.collisions = 8;
  Message whole(RTM_NEWSTATS, header);
  mnl_attr_put(whole.header, IFLA_STATS_LINK_64, sizeof stats, &stats);
  CHECK(told(whole.header, parse_device_counters) ==
        Told{"rx_dropped@9=1", "tx_dropped@9=2", "rx_errors@9=3", "tx_errors@9=4",
             "rx_missed_errors@9=5000000000", "rx_over_errors@9=6", "rx_fifo_errors@9=7"});

  Message shorter(RTM_NEWSTATS, header);
  mnl_attr_put(shorter.header, IFLA_STATS_LINK_64, offsetof(rtnl_link_stats64, rx_over_errors),
               &stats);
  CHECK(told(shorter.header, parse_device_counters).size() == 4);
}

TEST_CASE(
    "drops are those of a device's root and ingress qdiscs, since they sum up their classes'") {
  CHECK(told(qdisc(TC_H_ROOT).header, parse_qdisc_counters) == Told{"drops@5=17"});
  CHECK(told(qdisc(TC_H_INGRESS).header, parse_qdisc_counters) == Told{"ingress drops@5=17"});
  CHECK(told(qdisc(0x10001).header, parse_qdisc_counters).empty());
}

TEST_CASE("messages that are cut off tell nothing") {
  Message message = qdisc(TC_H_ROOT);
  message.header->nlmsg_len = NLMSG_HDRLEN + 4;
  CHECK(told(message.header, parse_qdisc_counters).empty());
  CHECK(told(message.header, parse_device_counters).empty());
}
