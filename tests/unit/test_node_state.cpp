#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <sstream>

#include "model/shell_word.hpp"
#include "node/state/fragments.hpp"
#include "node/state/packet_queues.hpp"
#include "node/state/route.hpp"
#include "node/state/sockets.hpp"
#include "node/state/sysctl.hpp"
#include "node/state/xfrm.hpp"

using namespace dptrace;

namespace {

constexpr const char* kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout "
    "inode\n"
    "   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 "
    "1 0 100 0 0 10 0\n"
    "   1: 00000000:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 "
    "1 0 100 0 0 10 0\n"
    "   2: 02010A0A:0050 03010A0A:8235 01 00000000:00000000 00:00000000 00000000     0        0 3 "
    "1 0 100 0 0 10 0\n";
constexpr const char* kUdp6 =
    "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout "
    "inode ref pointer drops\n"
    "  42: 00000000000000000000000000000000:0035 00000000000000000000000000000000:0000 07 "
    "00000000:00001200 "
    "00:00000000 00000000     0        0 4711 2 0000000000000000 17\n";

bool in_prefix(const char* address, const char* prefix, std::uint8_t length) {
  return is_in_prefix(*Address::parse(address), *Address::parse(prefix), length);
}

}  // namespace

TEST_CASE("of TCP the sockets that listen take what comes for a port") {
  std::vector<BoundSocket> sockets;
  parse_sockets(kTcp, true, false, 80, sockets);
  REQUIRE(sockets.size() == 1);
  CHECK(sockets[0].address.text() == "127.0.0.1");
  CHECK_FALSE(sockets[0].any);
  parse_sockets(kTcp, true, false, 81, sockets);
  REQUIRE(sockets.size() == 2);
  CHECK(sockets[1].any);
}

TEST_CASE("a UDP socket tells what waits and what it had no room for") {
  std::vector<BoundSocket> sockets;
  parse_sockets(kUdp6, false, true, 53, sockets);
  REQUIRE(sockets.size() == 1);
  CHECK(sockets[0].any);
  CHECK(sockets[0].ipv6);
  CHECK(sockets[0].waiting == 0x1200);
  CHECK(sockets[0].drops == 17);
  CHECK(sockets[0].inode == 4711);
}

TEST_CASE("lines that are no sockets are passed over") {
  std::vector<BoundSocket> sockets;
  parse_sockets("x\n 1: 0100007F 0 0A 0\n 1: 0100007F:0050 0 zz 0\n 1: 01:0050 0 0A 0\n\n", true,
                false, 80, sockets);
  CHECK(sockets.empty());
}

TEST_CASE("an address is in a prefix of its own family") {
  CHECK(in_prefix("10.9.9.9", "10.9.0.0", 16));
  CHECK(in_prefix("10.9.9.9", "10.9.9.9", 32));
  CHECK(in_prefix("10.9.9.9", "0.0.0.0", 0));
  CHECK(in_prefix("10.9.9.9", "10.9.8.0", 23));
  CHECK_FALSE(in_prefix("10.9.9.9", "10.9.10.0", 23));
  CHECK(in_prefix("fd00:99::1", "fd00:99::", 32));
  CHECK_FALSE(in_prefix("fd00:98::1", "fd00:99::", 32));
  CHECK_FALSE(in_prefix("10.9.9.9", "::", 0));
  CHECK_FALSE(in_prefix("10.9.9.9", "10.9.9.9", 33));
}

TEST_CASE("a setting has the name that sysctl takes, also of a device with a dot") {
  CHECK(sysctl_command("net/ipv4/conf/cni0/forwarding", 1) ==
        "sysctl -w net.ipv4.conf.cni0.forwarding=1");
  CHECK(sysctl_command("net/ipv4/conf/flannel.1/rp_filter", 2) ==
        "sysctl -w net/ipv4/conf/flannel.1/rp_filter=2");
  CHECK(sysctl_command("net/ipv4/conf/a;b/rp_filter", 2) ==
        "sysctl -w 'net.ipv4.conf.a;b.rp_filter=2'");
}

TEST_CASE("a word is one word of a shell, whatever is in it") {
  CHECK(shell_word("eth0") == "eth0");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("$(reboot)") == "'$(reboot)'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("a\nb") == "'a\nb'");
}

TEST_CASE("queues that a program reads are lines of numbers") {
  std::istringstream lines(
      "  100   7312     2 2   200     3     0        5  1\n"
      "no numbers\n"
      "    7   7313     0 2 65535     0     0        0  1\n");
  const auto queues = parse_packet_queues(lines);
  REQUIRE(queues.size() == 2);
  CHECK(queues[0].number == 100);
  CHECK(queues[0].waiting == 2);
  CHECK(queues[0].dropped == 3);
  CHECK(queues[1].number == 7);
}

TEST_CASE("the memory of fragments stands in a line of its own") {
  const std::string text = "sockets: used 12\nUDP: inuse 3 mem 1\nFRAG: inuse 2 memory 4096\n";
  std::istringstream lines(text), again(text);
  CHECK(parse_fragment_memory(lines, "FRAG:") == 4096U);
  CHECK_FALSE(parse_fragment_memory(again, "FRAG6:"));
}

TEST_CASE("an IPsec policy has the words that ip xfrm takes") {
  XfrmPolicy policy;
  policy.direction = 2;
  policy.source = *Address::parse("10.244.2.0");
  policy.source_length = 24;
  policy.destination = *Address::parse("10.244.1.2");
  policy.destination_length = 32;
  CHECK(policy.words() == "src 10.244.2.0/24 dst 10.244.1.2/32 dir fwd");
  CHECK(xfrm_protocol(50) == "esp");
  CHECK(xfrm_protocol(77) == "77");
}
