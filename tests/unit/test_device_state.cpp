#include <linux/gen_stats.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <catch2/catch.hpp>

#include "explain/cause.hpp"
#include "node/state/bpf_program.hpp"
#include "node/state/bridge.hpp"
#include "node/state/queue.hpp"
#include "node/state/softnet.hpp"

using namespace dptrace;

namespace {

template <typename Header>
class Message {
 public:
  explicit Message(const Header& general) {
    header_ = mnl_nlmsg_put_header(bytes_.data());
    auto* here = static_cast<Header*>(mnl_nlmsg_put_extra_header(header_, sizeof(Header)));
    *here = general;
  }

  template <typename Value>
  Message& put(std::uint16_t type, const Value& value) {
    mnl_attr_put(header_, type, sizeof value, &value);
    return *this;
  }
  Message& text(std::uint16_t type, const char* value) {
    mnl_attr_put_strz(header_, type, value);
    return *this;
  }
  template <typename Fill>
  Message& nest(std::uint16_t type, Fill fill) {
    auto* nest = mnl_attr_nest_start(header_, type);
    fill(*this);
    mnl_attr_nest_end(header_, nest);
    return *this;
  }
  const nlmsghdr* header() const { return header_; }

 private:
  alignas(nlmsghdr) std::array<char, 2048> bytes_{};
  nlmsghdr* header_;
};

Message<tcmsg> queue_message(const char* kind, std::uint32_t parent = TC_H_ROOT) {
  tcmsg general{};
  general.tcm_ifindex = 7;
  general.tcm_handle = 0x80020000;
  general.tcm_parent = parent;
  Message<tcmsg> message(general);
  message.text(TCA_KIND, kind);
  return message;
}

void count(Message<tcmsg>& message, std::uint32_t drops) {
  message.nest(TCA_STATS2, [&](auto& nest) {
    gnet_stats_queue counts{};
    counts.qlen = 3;
    counts.drops = drops;
    nest.put(TCA_STATS_QUEUE, counts);
  });
}

Message<ifinfomsg> port_message() {
  ifinfomsg general{};
  general.ifi_family = AF_BRIDGE;
  general.ifi_index = 7;
  Message<ifinfomsg> message(general);
  message.put(IFLA_MASTER, std::uint32_t{3});
  return message;
}

std::vector<std::string_view> causes_of(const DropFacts& drop) {
  std::vector<std::string_view> names;
  for (const auto family : {&routing_causes, &neighbour_causes, &socket_causes, &link_causes,
                            &bridge_causes, &queue_causes, &filter_causes}) {
    for (const Cause& cause : family()) {
      if (cause.may_be(drop)) names.push_back(cause.name);
    }
  }
  return names;
}

DropFacts facts(const char* function, const char* reason, bool has_reasons = true) {
  DropFacts drop;
  drop.netns = 1;
  drop.device = 7;
  drop.function = function;
  drop.reason = reason;
  drop.has_reasons = has_reasons;
  drop.family = 4;
  drop.destination = *Address::parse("10.1.1.2");
  return drop;
}

using Causes = std::vector<std::string_view>;

}  // namespace

TEST_CASE("a queue of packets drops when it is full only") {
  auto message = queue_message("pfifo");
  message.put(TCA_OPTIONS, tc_fifo_qopt{12});
  count(message, 5);
  const auto queue = parse_queue(message.header());
  REQUIRE(queue);
  CHECK(queue->is_root());
  CHECK(queue->device == 7);
  CHECK(limit_text(*queue) == "limit 12 packets");
  CHECK(queue->packets == 3);
  CHECK(queue->drops == 5);
  CHECK(queue->drops_when_full == 5);
}

TEST_CASE("a token bucket has a limit in bytes, and also drops what is too large for it") {
  auto message = queue_message("tbf");
  message.nest(TCA_OPTIONS, [](auto& nest) {
    tc_tbf_qopt options{};
    options.limit = 3000;
    nest.put(TCA_TBF_PARMS, options);
  });
  count(message, 5);
  const auto queue = parse_queue(message.header());
  REQUIRE(queue);
  CHECK(limit_text(*queue) == "limit 3000 bytes");
  CHECK(queue->drops == 5);
  CHECK(queue->drops_when_full == 0);
}

TEST_CASE("fq_codel tells its drops for want of room from those against delay") {
  auto message = queue_message("fq_codel", 0x80030001);
  message.nest(TCA_OPTIONS, [](auto& nest) { nest.put(TCA_FQ_CODEL_LIMIT, std::uint32_t{10240}); });
  message.nest(TCA_STATS2, [](auto& nest) {
    gnet_stats_queue counts{};
    counts.drops = 9;
    tc_fq_codel_xstats own{};
    own.type = TCA_FQ_CODEL_XSTATS_QDISC;
    own.qdisc_stats.drop_overlimit = 4;
    nest.put(TCA_STATS_QUEUE, counts).put(TCA_STATS_APP, own);
  });
  const auto queue = parse_queue(message.header());
  REQUIRE(queue);
  CHECK_FALSE(queue->is_root());
  CHECK(limit_text(*queue) == "limit 10240 packets");
  CHECK(queue->drops == 9);
  CHECK(queue->drops_when_full == 4);
}

TEST_CASE("a queue of a kind that is not known has a name and counters") {
  auto message = queue_message("netem");
  count(message, 5);
  const auto queue = parse_queue(message.header());
  REQUIRE(queue);
  CHECK(limit_text(*queue).empty());
  CHECK(queue->drops_when_full == 0);
  CHECK_FALSE(parse_queue(Message<tcmsg>(tcmsg{}).header()));
}

TEST_CASE("a port of a bridge tells its state, its flags and its VLANs") {
  auto message = port_message();
  message.nest(IFLA_PROTINFO, [](auto& nest) {
    nest.put(IFLA_BRPORT_STATE, std::uint8_t{BR_STATE_LEARNING})
        .put(IFLA_BRPORT_MODE, std::uint8_t{1})
        .put(IFLA_BRPORT_ISOLATED, std::uint8_t{1})
        .put(IFLA_BRPORT_UNICAST_FLOOD, std::uint8_t{0});
  });
  message.nest(IFLA_AF_SPEC, [](auto& nest) {
    nest.put(IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{BRIDGE_VLAN_INFO_PVID, 7})
        .put(IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{0, 9});
  });
  const auto port = parse_bridge_port(message.header());
  REQUIRE(port);
  CHECK(port->index == 7);
  CHECK(port->bridge == 3);
  CHECK_FALSE(port->forwards());
  CHECK(port->lets_in());
  CHECK(port_state(port->state) == "learning");
  CHECK(port->hairpin);
  CHECK(port->isolated);
  CHECK_FALSE(port->floods);
  CHECK(port->pvid == 7);
  CHECK(port->has_vlan(9));
  CHECK_FALSE(port->has_vlan(8));
}

TEST_CASE("a bridge itself is no port") {
  auto message = port_message();
  message.nest(IFLA_AF_SPEC, [](auto& nest) {
    nest.put(IFLA_BRIDGE_VLAN_INFO, bridge_vlan_info{BRIDGE_VLAN_INFO_PVID, 1});
  });
  CHECK_FALSE(parse_bridge_port(message.header()));
  CHECK(port_state(9) == "unknown");
}

TEST_CASE("the drops of all CPUs' backlogs are added up") {
  CHECK(parse_backlog_drops("0000a1b2 0000000f 00000000\n0000a1b2 00000001 00000000\n") == 16);
  CHECK(parse_backlog_drops("0000a1b2 00000000 00000000\n") == 0);
  CHECK_FALSE(parse_backlog_drops(""));
  CHECK_FALSE(parse_backlog_drops("0000a1b2 zz\n"));
}

TEST_CASE("a program is an agent's by its name only") {
  CHECK(agent_of_program("cil_from_container-lxc123") == "Cilium");
  CHECK(agent_of_program("bpf_lxc.o:[from-container]") == "Cilium");
  CHECK(agent_of_program("cali_tc_preamble") == "Calico");
  CHECK(agent_of_program("bpf_drop").empty());
  CHECK(agent_of_program("").empty());
}

TEST_CASE("where the kernel says what dropped it, other causes are not asked for") {
  CHECK(causes_of(facts("__netif_receive_skb_core", "TC_INGRESS")) == Causes{"tc-filter"});
  CHECK(causes_of(facts("__dev_queue_xmit", "TC_EGRESS")) == Causes{"tc-filter"});
  CHECK(causes_of(facts("enqueue_to_backlog", "CPU_BACKLOG")) == Causes{"backlog-full"});
  CHECK(causes_of(facts("__dev_queue_xmit", "QDISC_OVERLIMIT")) == Causes{"queue-full"});
  CHECK(causes_of(facts("__dev_queue_xmit", "QDISC_DROP")) ==
        Causes{"device-down", "no-carrier", "queue-full"});
  CHECK(causes_of(facts("__dev_queue_xmit", "DEV_READY")) == Causes{"device-down", "no-carrier"});
  CHECK(causes_of(facts("do_xdp_generic", "")) == Causes{"xdp-program"});
  CHECK(causes_of(facts("do_xdp_generic", "XDP")).empty());
  CHECK(causes_of(facts("br_handle_frame", "BRIDGE_INGRESS_STP_STATE")) ==
        Causes{"bridge-port-blocked"});
  CHECK(causes_of(facts("br_handle_frame", "NOMEM")).empty());
}

TEST_CASE("a kernel with reasons that gives none did not drop it by a filter or a queue") {
  CHECK(causes_of(facts("__netif_receive_skb_core", "")).empty());
  CHECK(causes_of(facts("__dev_queue_xmit", "")).empty());
  CHECK(causes_of(facts("enqueue_to_backlog", "")).empty());
}

TEST_CASE("without reasons a list is a queue's, and what is freed alone a filter's") {
  auto drop = facts("__dev_queue_xmit", "", false);
  CHECK(causes_of(drop) == Causes{"tc-filter"});
  drop.listed = true;
  CHECK(causes_of(drop) == Causes{"device-down", "no-carrier", "queue-full"});
  CHECK(causes_of(facts("__netif_receive_skb_core", "", false)) == Causes{"tc-filter"});
  CHECK(causes_of(facts("enqueue_to_backlog", "", false)) == Causes{"backlog-full"});
}

TEST_CASE("a bridge's causes are those of packets to one receiver") {
  auto drop = facts("br_handle_frame_finish", "NO_TX_TARGET");
  CHECK(causes_of(drop).size() == 7);
  drop.destination = *Address::parse("224.0.0.251");
  CHECK(causes_of(drop).empty());
  drop.destination = *Address::parse("ff02::1");
  CHECK(causes_of(drop).empty());
}
