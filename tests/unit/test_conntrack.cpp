#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>

#include <array>
#include <catch2/catch.hpp>

#include "node/state/conntrack.hpp"

using namespace dptrace;

namespace {

ConntrackTuple dns() {
  return {IPPROTO_UDP, *Address::parse("10.244.1.2"), *Address::parse("10.96.0.10"), 40000, 53};
}

// Answers of the kernel as it writes them, with IPv4 addresses.
class Answer {
 public:
  Answer() : message_(mnl_nlmsg_put_header(bytes_.data())) {
    mnl_nlmsg_put_extra_header(message_, sizeof(nfgenmsg));
  }
  void put_tuple(std::uint16_t type, const ConntrackTuple& tuple) {
    nlattr* whole = mnl_attr_nest_start(message_, type);
    nlattr* ip = mnl_attr_nest_start(message_, CTA_TUPLE_IP);
    mnl_attr_put(message_, CTA_IP_V4_SRC, 4, tuple.source.bytes.bytes + 12);
    mnl_attr_put(message_, CTA_IP_V4_DST, 4, tuple.destination.bytes.bytes + 12);
    mnl_attr_nest_end(message_, ip);
    nlattr* protocol = mnl_attr_nest_start(message_, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message_, CTA_PROTO_NUM, tuple.protocol);
    mnl_attr_put_u16(message_, CTA_PROTO_SRC_PORT, htons(tuple.source_port));
    mnl_attr_put_u16(message_, CTA_PROTO_DST_PORT, htons(tuple.destination_port));
    mnl_attr_nest_end(message_, protocol);
    mnl_attr_nest_end(message_, whole);
  }
  void put_number(std::uint16_t type, std::uint32_t number) {
    mnl_attr_put_u32(message_, type, htonl(number));
  }
  void put_tcp_state(std::uint8_t state) {
    nlattr* whole = mnl_attr_nest_start(message_, CTA_PROTOINFO);
    nlattr* tcp = mnl_attr_nest_start(message_, CTA_PROTOINFO_TCP);
    mnl_attr_put_u8(message_, CTA_PROTOINFO_TCP_STATE, state);
    mnl_attr_nest_end(message_, tcp);
    mnl_attr_nest_end(message_, whole);
  }
  nlmsghdr* message() { return message_; }

 private:
  alignas(nlmsghdr) std::array<char, 512> bytes_{};
  nlmsghdr* message_;
};

}  // namespace

TEST_CASE("an entry of conntrack is told by its ends and what NAT made of them") {
  Answer answer;
  auto to_pod = dns().reversed();
  to_pod.source = *Address::parse("10.244.2.7");
  answer.put_tuple(CTA_TUPLE_ORIG, dns());
  answer.put_tuple(CTA_TUPLE_REPLY, to_pod);
  answer.put_number(CTA_STATUS, IPS_SEEN_REPLY | IPS_CONFIRMED);
  answer.put_number(CTA_TIMEOUT, 27);
  const auto entry = parse_conntrack(answer.message());
  REQUIRE(entry);
  CHECK(entry->original == dns());
  CHECK(entry->words() ==
        "udp 10.244.1.2:40000 > 10.96.0.10:53, by NAT 10.244.1.2:40000 > 10.244.2.7:53");
  CHECK(entry->is_answered());
  CHECK_FALSE(entry->is_assured());
  CHECK(entry->timeout_s == 27);
  CHECK_FALSE(entry->has_helper);
}

TEST_CASE("an entry of TCP has a state") {
  Answer answer;
  auto tuple = dns();
  tuple.protocol = IPPROTO_TCP;
  answer.put_tuple(CTA_TUPLE_ORIG, tuple);
  answer.put_tuple(CTA_TUPLE_REPLY, tuple.reversed());
  answer.put_tcp_state(3);
  const auto entry = parse_conntrack(answer.message());
  REQUIRE(entry);
  CHECK(entry->words() == "tcp 10.244.1.2:40000 > 10.96.0.10:53");
  CHECK(conntrack_tcp_state(entry->tcp_state) == "ESTABLISHED");
  CHECK(conntrack_tcp_state(200).empty());
}

TEST_CASE("what is cut off, or of another protocol, is no entry") {
  Answer answer;
  auto tuple = dns();
  tuple.protocol = IPPROTO_ICMP;
  answer.put_tuple(CTA_TUPLE_ORIG, tuple);
  CHECK_FALSE(parse_conntrack(answer.message()));
  answer.message()->nlmsg_len = NLMSG_HDRLEN + 2;
  CHECK_FALSE(parse_conntrack(answer.message()));
}

TEST_CASE("the ends of IPv6 have brackets") {
  const ConntrackTuple tuple{IPPROTO_TCP, *Address::parse("fd00::1"), *Address::parse("fd00::2"), 1,
                             2};
  CHECK(tuple.words() == "[fd00::1]:1 > [fd00::2]:2");
}
