#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "counters/counter_text.hpp"

using namespace dptrace;

namespace {

using Names = std::vector<std::string_view>;

std::vector<std::string> told(const std::vector<NamedCounter>& counters) {
  std::vector<std::string> told;
  for (const auto& counter : counters) {
    told.push_back(std::string(counter.name) + "@" + std::to_string(counter.cpu) + "=" +
                   std::to_string(counter.value));
  }
  return told;
}

using Told = std::vector<std::string>;

// Shortened in the middle; 5.10 ends there, 7.2 has more counters and one section more.
const std::string kNetstat510 =
    "TcpExt: SyncookiesSent SyncookiesRecv TCPBacklogDrop ListenOverflows ListenDrops TCPRcvQDrop\n"
    "TcpExt: 0 0 3 23 26 1\n"
    "IpExt: InNoRoutes InTruncatedPkts InCsumErrors ReasmOverlaps\n"
    "IpExt: 0 0 7 0\n";
const std::string kNetstat72 =
    "TcpExt: SyncookiesSent BeyondWindow TSEcrRejected ListenOverflows ListenDrops "
    "TCPAODroppedIcmps\n"
    "TcpExt: 0 4 5 18446744073709551615 26 1\n"
    "IpExt: InNoRoutes InCsumErrors ReasmOverlaps\n"
    "IpExt: 0 7 0\n"
    "MPTcpExt: MPCapableSYNRX ListenDrops\n"
    "MPTcpExt: 9 9\n";
const std::string kSnmp =
    "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens InErrs OutRsts InCsumErrors\n"
    "Tcp: 1 200 120000 -1 23 0 2 5\n"
    "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors "
    "IgnoredMulti MemErrors\n"
    "Udp: 56 0 4 57 4 0 6 0 0\n"
    "UdpLite: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors "
    "IgnoredMulti MemErrors\n"
    "UdpLite: 0 0 0 0 99 0 0 0 0\n";

}  // namespace

TEST_CASE("netstat counters are found by name, wherever a kernel has them") {
  const Names wanted = {"ListenOverflows", "ListenDrops", "TCPBacklogDrop", "TCPRcvQDrop"};
  CHECK(told(parse_netstat(kNetstat510, "TcpExt", wanted)) ==
        Told{"TCPBacklogDrop@0=3", "ListenOverflows@0=23", "ListenDrops@0=26", "TCPRcvQDrop@0=1"});
  CHECK(told(parse_netstat(kNetstat72, "TcpExt", wanted)) ==
        Told{"ListenOverflows@0=18446744073709551615", "ListenDrops@0=26"});
}

TEST_CASE("a section is not taken for one whose name begins alike, nor a negative for a number") {
  CHECK(told(parse_netstat(kSnmp, "Udp", Names{"RcvbufErrors", "InCsumErrors"})) ==
        Told{"RcvbufErrors@0=4", "InCsumErrors@0=6"});
  CHECK(told(parse_netstat(kSnmp, "Tcp", Names{"MaxConn", "InCsumErrors"})) ==
        Told{"InCsumErrors@0=5"});
}

TEST_CASE("text that ends early tells what is whole in it") {
  const Names wanted = {"ListenOverflows", "ListenDrops"};
  CHECK(parse_netstat("", "TcpExt", wanted).empty());
  CHECK(parse_netstat("TcpExt: ListenOverflows ListenDrops\n", "TcpExt", wanted).empty());
  CHECK(told(parse_netstat("TcpExt: ListenOverflows ListenDrops\nTcpExt: 4", "TcpExt", wanted)) ==
        Told{"ListenOverflows@0=4"});
}

TEST_CASE("snmp6 has a name and a value per line") {
  const std::string text =
      "Ip6InReceives                   \t1\n"
      "Udp6RcvbufErrors                \t12\n"
      "Udp6SndbufErrors                \t0\n"
      "UdpLite6RcvbufErrors            \t7\n";
  CHECK(told(parse_snmp6(text, Names{"Udp6RcvbufErrors", "Udp6SndbufErrors", "Udp6MemErrors"})) ==
        Told{"Udp6RcvbufErrors@0=12", "Udp6SndbufErrors@0=0"});
}

TEST_CASE("conntrack's counters are hexadecimal, per CPU, in columns that kernels rename") {
  const std::string column = GENERATE("delete_list", "chainlength");  // 5.10, 7.2
  const std::string text =
      "entries  clashres found new invalid ignore delete " + column +
      " insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete "
      "search_restart\n"
      "00000010  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002 "
      "0000001f 00000003 00000000  00000000 00000000 00000000 00000000\n"
      "00000010  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "ffffffff 00000000 00000000  00000000 00000000 00000000 00000000\n";
  CHECK(told(parse_per_cpu_stat(text, Names{"drop", "early_drop", "insert_failed"})) ==
        Told{"insert_failed@0=2", "drop@0=31", "early_drop@0=3", "insert_failed@1=0",
             "drop@1=4294967295", "early_drop@1=0"});
}

TEST_CASE("packets received are the sum of all CPUs, which wraps around") {
  CHECK(parse_softnet_received("") == 0);
  CHECK(parse_softnet_received("00001de8 00000005 00000002\n00000010 0 0\n") == 0x1df8);
  CHECK(parse_softnet_received("ffffffff 0\n00000003 0\n") == 2);
}

TEST_CASE("softnet lines tell their CPU, since those that are off line have none") {
  const std::string of_510 =
      "00001de8 00000005 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "00000000 00000000 00000003\n";
  CHECK(told(parse_softnet(of_510)) == Told{"dropped@3=5"});
  const std::string of_72 =
      "0000000d 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "00000000 00000000 00000000 00000000 00000000\n"
      "00001de8 0000000a 00000010 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
      "00000000 00000000 00000010 00000000 00000000\n";
  CHECK(told(parse_softnet(of_72)) == Told{"dropped@0=0", "dropped@16=10"});
  CHECK(parse_softnet("00001de8 00000005 00000002\n").empty());
}
