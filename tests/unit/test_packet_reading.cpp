#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <random>

#include "packet_bytes.hpp"
#include "packet_reader.h"

using namespace dptrace::test;

namespace {

read_packet read(const Bytes& bytes, std::uint16_t type, read_way way = READ_WALK) {
  read_packet packet{};
  REQUIRE(read_packet_from(way, bytes.data(), bytes.size(), type, &packet));
  return packet;
}

read_packet read(const Ip& ip, const Bytes& content) {
  return read(packet(ip, content), ether_type(ip));
}

bool same(const read_packet& a, const read_packet& b) {
  const bool tunnels = a.tunnel.kind != DPT_TUNNEL_NONE || b.tunnel.kind != DPT_TUNNEL_NONE;
  return std::memcmp(&a.flow, &b.flow, sizeof a.flow) == 0 && a.key == b.key &&
         a.datagram == b.datagram && a.matches == b.matches &&
         (!tunnels || std::memcmp(&a.tunnel, &b.tunnel, sizeof a.tunnel) == 0);
}

Bytes extension(std::uint8_t next, int more = 0) {
  return joined({number(next, 1), number(more, 1), Bytes(6 + 8 * more)});
}

// While it lives, packets of one port are asked for.
class AskForPort {
 public:
  explicit AskForPort(std::uint16_t port) { packet_settings()->port = port; }
  ~AskForPort() { packet_settings()->port = 0; }
  AskForPort(const AskForPort&) = delete;
  AskForPort& operator=(const AskForPort&) = delete;
};

Bytes any_packet(std::mt19937_64& random, bool wrapped) {
  const auto chance = [&](unsigned in) { return random() % in == 0; };
  Bytes content(random() % 60);
  std::generate(content.begin(), content.end(),
                [&] { return static_cast<std::uint8_t>(random()); });
  constexpr std::uint8_t kProtocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_SCTP};
  Ip ip = {.protocol = kProtocols[random() % 4], .id = static_cast<std::uint16_t>(random())};
  if (chance(3)) ip.fragment = kDontFragment;
  if (chance(9)) ip.fragment = kMoreFragments;
  if (chance(9)) ip.fragment = 185;
  if (chance(9)) ip.options = Bytes(4 * (random() % 10), 1);
  if (ip.protocol == IPPROTO_UDP) content = udp(1, chance(2) ? 53 : 443, content);
  if (wrapped) {
    content = vxlan(random() & 0xffffff, frame(kIpv4, any_packet(random, false)));
    ip.protocol = IPPROTO_UDP;
  }
  return packet(ip, content);
}

}  // namespace

TEST_CASE("the quick way of reading says what the long way says") {
  std::mt19937_64 random(7);
  int read_quickly = 0;
  for (int i = 0; i < 40'000; ++i) {
    const AskForPort asked(i % 4 == 0 ? 53 : 0);
    Bytes bytes = any_packet(random, i % 2 == 0);
    // In the linear part may be less than the packet, or what its frame is padded with.
    const std::size_t linear = i % 8 == 1 ? random() % bytes.size() : bytes.size();
    bytes.resize(linear);
    if (i % 8 == 3) bytes.resize(bytes.size() + 18, 0xff);
    read_packet walked{}, by_context{}, quick{}, by_probe{};
    const bool is_read = read_packet_from(READ_WALK, bytes.data(), bytes.size(), kIpv4, &walked);
    REQUIRE(is_read ==
            read_packet_from(READ_WALK_OF_CONTEXT, bytes.data(), bytes.size(), kIpv4, &by_context));
    if (is_read) REQUIRE(same(walked, by_context));
    if (!read_packet_from(READ_WINDOW, bytes.data(), bytes.size(), kIpv4, &quick)) continue;
    REQUIRE(read_packet_from(READ_WINDOW_BY_PROBE, bytes.data(), bytes.size(), kIpv4, &by_probe));
    REQUIRE(is_read);
    REQUIRE(same(quick, walked));
    REQUIRE(same(quick, by_probe));
    ++read_quickly;
  }
  CHECK(read_quickly > 5'000);
}

TEST_CASE("the glance dismisses no packet that was asked for, and most others") {
  std::mt19937_64 random(8);
  auto* settings = packet_settings();
  settings->casts = 1;
  settings->pod_count = 1;
  int dismissed = 0, foreign = 0;
  for (int i = 0; i < 60'000; ++i) {
    // Now and then one of the addresses that all packets here have, at either end or in a tunnel.
    const std::uint32_t asked = i % 3 == 0 ? 0x0af40102 : i % 3 == 1 ? 0x0af40203 : 0x0af40999;
    settings->pod[0] = {};
    const auto address = joined({number(0xffff, 2), number(asked, 4)});
    std::copy(address.begin(), address.end(), settings->pod[0].bytes + 10);
    Bytes bytes = any_packet(random, i % 2 == 0);
    for (int changed = static_cast<int>(random() % 4); changed > 0; --changed)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    const std::size_t linear = i % 8 == 1 ? random() % bytes.size() : bytes.size();
    read_packet walked{};
    const bool is_ours =
        read_packet_from(READ_WALK, bytes.data(), linear, kIpv4, &walked) && walked.matches;
    const bool is_dismissed = glance_dismisses(bytes.data(), linear, kIpv4, false);
    REQUIRE_FALSE((is_ours && is_dismissed));
    dismissed += is_dismissed ? 1 : 0;
    foreign += is_ours ? 0 : 1;
  }
  CHECK(dismissed > foreign / 4);
  settings->pod_count = 0;
  settings->casts = 0;
}

TEST_CASE("the glance dismisses no packet that goes by the addresses which NAT has given") {
  std::mt19937_64 random(9);
  auto* settings = packet_settings();
  settings->casts = 1;
  settings->pod_count = 1;  // an address that nobody has
  int dismissed = 0;
  for (int i = 0; i < 20'000; ++i) {
    std::memset(marks_of_translated(), 0, DPT_TRANSLATED_MARKS);
    const Bytes bytes = any_packet(random, i % 2 == 0);
    dismissed += glance_dismisses(bytes.data(), bytes.size(), kIpv4, true) ? 1 : 0;
    read_packet walked{};
    if (!read_packet_from(READ_WALK, bytes.data(), bytes.size(), kIpv4, &walked)) continue;
    note_translated(&walked.flow);
    REQUIRE_FALSE(glance_dismisses(bytes.data(), bytes.size(), kIpv4, true));
  }
  CHECK(dismissed > 3000);
  std::memset(marks_of_translated(), 0, DPT_TRANSLATED_MARKS);
  settings->pod_count = 0;
  settings->casts = 0;
}

TEST_CASE("headers are counted to the payload") {
  const Bytes payload(100);
  const auto headers = [](const Ip& ip, const Bytes& content) {
    return read(ip, content).flow.headers;
  };
  CHECK(headers({.protocol = IPPROTO_TCP}, tcp({}, payload)) == 40);
  CHECK(headers({.protocol = IPPROTO_TCP}, tcp({.options = timestamps(1, 2)}, payload)) == 52);
  CHECK(headers({.family = 6, .protocol = IPPROTO_TCP}, tcp({.options = timestamps(1, 2)}, {})) ==
        72);
  CHECK(headers({.protocol = IPPROTO_TCP, .options = Bytes(8, 1)}, tcp({}, payload)) == 48);
  CHECK(headers({.protocol = IPPROTO_UDP}, udp(1, 2, payload)) == 28);
  CHECK(headers({.family = 6, .protocol = IPPROTO_UDP}, udp(1, 2, {})) == 48);
  CHECK(headers({.protocol = IPPROTO_ICMP}, icmp(8, 1, 1, payload)) == 28);
  CHECK(headers({.family = 6, .protocol = IPPROTO_ICMPV6}, icmp(128, 1, 1, payload)) == 48);
  CHECK(headers({.protocol = 89}, payload) == 0);
  // Not when the data offset is none, nor where it is not at hand.
  CHECK(headers({.protocol = IPPROTO_TCP}, Bytes(40)) == 0);
  const Bytes cut = packet({.protocol = IPPROTO_TCP}, tcp({}, payload));
  CHECK(read(Bytes(cut.begin(), cut.begin() + 30), kIpv4).flow.headers == 0);
  // The inner packet's own, not the tunnel's.
  const Bytes inner = packet({.protocol = IPPROTO_TCP}, tcp({}, payload));
  CHECK(headers({}, vxlan(1, frame(kIpv4, inner))) == 40);
}

TEST_CASE("extension headers are passed on the way to layer 4") {
  const Bytes content = udp(1000, 53, Bytes(20, 'q'));
  const auto with = [&](std::uint8_t first, const Bytes& extensions) {
    return read({.family = 6, .options = extensions, .next_header = first}, content);
  };
  const std::uint64_t key = read({.family = 6}, content).key;
  for (const auto& packet :
       {with(0, extension(IPPROTO_UDP)), with(60, extension(IPPROTO_UDP, 2)),
        with(43, extension(IPPROTO_UDP)), with(0, joined({extension(60), extension(IPPROTO_UDP)})),
        with(0,
             joined({extension(60), extension(43, 1), extension(60), extension(IPPROTO_UDP)}))}) {
    CHECK(packet.flow.protocol == IPPROTO_UDP);
    CHECK(packet.flow.l4.port.destination == 53);
    CHECK(packet.flow.headers == packet.flow.length - 20);
    CHECK(packet.datagram == 0);
  }
  // One that a router on the way takes out is another packet by its length alone.
  CHECK(with(0, extension(IPPROTO_UDP)).key != key);
}

TEST_CASE("what follows a later fragment's header is payload") {
  const Bytes payload = joined({Bytes(2, 60), Bytes(62, 'x')});  // looks like extension headers
  const Ip ip = {
      .family = 6, .options = fragment_header(60, 185, false, 0xaabbccdd), .next_header = 44};
  const auto later = read(ip, payload);
  CHECK(later.flow.protocol == 60);
  CHECK(later.flow.fragment == 185);
  CHECK(later.flow.ip_id == 0xaabbccdd);
  CHECK(later.flow.headers == 0);
  CHECK(later.flow.l4.port.destination == 0);

  const Ip first = {.family = 6,
                    .options = joined({fragment_header(60, 0, true, 0xaabbccdd), extension(17)}),
                    .next_header = 44};
  const auto begins = read(first, udp(1000, 53, payload));
  CHECK(begins.flow.protocol == IPPROTO_UDP);
  CHECK(begins.flow.l4.port.destination == 53);
  CHECK(begins.flow.fragment == kMoreFragments);
  CHECK(begins.flow.headers == 40 + 8 + 8 + 8);
  CHECK(begins.datagram == later.datagram);
}

TEST_CASE("fragments of one datagram know each other, and no others") {
  const int family = GENERATE(4, 6);
  const auto fragment = [&](std::uint32_t id, std::uint16_t offset, bool more,
                            std::uint32_t source = 1) {
    Ip ip = {.family = family, .source = source, .id = static_cast<std::uint16_t>(id)};
    ip.fragment = offset | (more ? kMoreFragments : 0);
    if (family == 6) {
      ip.options = fragment_header(IPPROTO_UDP, offset, more, id);
      ip.next_header = IPPROTO_FRAGMENT;
    }
    return read(ip, offset == 0 ? udp(1000, 53, Bytes(100)) : Bytes(100, 'r'));
  };
  const auto first = fragment(7, 0, true);
  CHECK(first.datagram != 0);
  CHECK(fragment(7, 185, true).datagram == first.datagram);
  CHECK(fragment(7, 370, false).datagram == first.datagram);
  CHECK(fragment(8, 185, true).datagram != first.datagram);
  CHECK(fragment(7, 185, true, 2).datagram != first.datagram);
  CHECK(read({.family = family, .id = 7}, udp(1000, 53, Bytes(100))).datagram == 0);
  CHECK(fragment(7, 185, true).key != fragment(7, 370, true).key);
  if (family == 6) CHECK(fragment(0x10007, 185, true).datagram != first.datagram);

  const AskForPort asked(53);
  CHECK(fragment(7, 0, true).matches);
  CHECK_FALSE(fragment(7, 185, true).matches);
}

TEST_CASE("ports are asked for behind any headers") {
  const AskForPort asked(53);
  const Bytes to_53 = udp(1000, 53, Bytes(30));
  const Bytes to_54 = udp(1000, 54, Bytes(30));
  for (const auto& [content, matches] : {std::pair(to_53, true), std::pair(to_54, false)}) {
    CHECK(read({}, content).matches == matches);
    CHECK(read({.options = Bytes(4, 1)}, content).matches == matches);
    CHECK(read({.family = 6}, content).matches == matches);
    CHECK(
        read({.family = 6, .options = extension(IPPROTO_UDP), .next_header = 0}, content).matches ==
        matches);
    CHECK(read({}, vxlan(1, frame(kIpv4, packet({}, content)))).matches == matches);
  }
}

TEST_CASE("one tag and two are passed on the way to the IP header") {
  const int family = GENERATE(4, 6);
  const Bytes untagged = packet({.family = family}, udp(1000, 53, Bytes(40, 'v')));
  const std::uint16_t type = ether_type({.family = family});
  const auto plain = read(untagged, type);
  const Bytes once =
      tagged(0x4123, type, untagged);  // its first byte could be that of an IPv4 header
  const Bytes twice = tagged(300, kVlan, once);
  CHECK(same(read(once, kVlan), plain));
  CHECK(same(read(once, kServiceVlan), plain));
  CHECK(same(read(twice, kServiceVlan), plain));
  CHECK(same(read(twice, kVlan, READ_WALK_OF_CONTEXT), plain));
  read_packet other{};
  const Bytes thrice = tagged(5, kVlan, twice);
  CHECK_FALSE(read_packet_from(READ_WALK, thrice.data(), thrice.size(), kVlan, &other));
  CHECK_FALSE(read_packet_from(READ_WALK, once.data(), 3, kVlan, &other));
  CHECK_FALSE(read_packet_from(READ_WALK, once.data(), once.size(), type, &other));
}

TEST_CASE("a packet that is longer than its header can say is read all the same") {
  // BIG TCP: 0 is all that the length has.
  Bytes big = packet({.family = 6, .protocol = IPPROTO_TCP}, tcp({}, Bytes(200)));
  big[4] = big[5] = 0;
  CHECK(read(big, kIpv6).flow.sequence == 0x11223344);
  big = packet({.protocol = IPPROTO_TCP}, tcp({}, Bytes(200)));
  big[2] = big[3] = 0;
  CHECK(read(big, kIpv4).flow.sequence == 0x11223344);
}

TEST_CASE("what is no IP is not read, whatever its bytes are") {
  std::mt19937_64 random(3);
  for (int i = 0; i < 20'000; ++i) {
    Bytes bytes(random() % 120);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
    const std::uint16_t type = i % 2 == 0 ? kIpv4 : kIpv6;
    if (!bytes.empty() && i % 3 != 0) bytes[0] = type == kIpv4 ? 0x45 : 0x60;
    read_packet packet{};
    if (!read_packet_from(READ_WALK, bytes.data(), bytes.size(), type, &packet)) continue;
    CHECK(bytes[0] >> 4 == (type == kIpv4 ? 4 : 6));
    CHECK_FALSE(read_packet_from(READ_WALK, bytes.data(), bytes.size(), 0x0806, &packet));
  }
}

TEST_CASE("what is not remembered is never fresh, just after boot neither") {
  constexpr std::uint64_t kAge = 35'000'000'000;
  const std::uint64_t none = 0;
  for (const std::uint64_t now :
       {1ULL, 10'000'000'000ULL, kAge - 1 + 0ULL, kAge + 0ULL, 10 * kAge + 0ULL}) {
    CAPTURE(now);
    CHECK_FALSE(none > recent_after(now, kAge));
    CHECK(now > recent_after(now, kAge));
    CHECK((now > kAge ? now - kAge + 1 : 1) > recent_after(now, kAge));
    if (now > kAge) CHECK_FALSE(now - kAge > recent_after(now, kAge));
  }
}
