#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <string>

#include "packet_bytes.hpp"
#include "packet_reader.h"

using namespace dptrace::test;

namespace {

constexpr std::size_t kToldApartBy = 32;  // bytes of layer 4

std::uint64_t key_of(const Bytes& bytes, std::uint16_t type, read_way way = READ_WALK) {
  read_packet packet{};
  REQUIRE(read_packet_from(way, bytes.data(), bytes.size(), type, &packet));
  return packet.key;
}

std::uint64_t key_of(const Ip& ip, const Bytes& content) {
  return key_of(packet(ip, content), ether_type(ip));
}

Bytes text(const std::string& words) { return {words.begin(), words.end()}; }

struct Protocol {
  const char* name;
  std::uint8_t number;
  Bytes content;
  std::vector<std::size_t> changed_by_nat;  ///< offsets in the content
  std::vector<std::size_t> not_told = {};   ///< offsets of what may change the key or not
};

const Bytes kPayload = text("what these two pods have to say to each other");

std::vector<Protocol> protocols(int family) {
  const bool v4 = family == 4;
  const std::uint8_t icmp_number = v4 ? 1 : 58;
  const Bytes tcp_data = tcp({.options = timestamps(7, 9)}, kPayload);
  const Bytes tcp_bare = tcp({.options = timestamps(7, 9)}, {});
  const Bytes quoted = packet({.family = family}, udp(53, 53, kPayload));
  const Bytes sctp = joined({ports(1, 2), number(0xdeadbeef, 4), number(1, 4),
                             number(0x00030020, 4), number(42, 4), kPayload});
  return {
      // The window, the urgent pointer and the header's own size are no identity; nor are the flags
      // of what has payload, but for those that segmentation leaves alone.
      {"TCP",
       IPPROTO_TCP,
       tcp_data,
       {0, 1, 2, 3, 16, 17},
       {12, 13, 14, 15, 18, 19, 20, 21, 22, 23}},
      {"TCP without payload",
       IPPROTO_TCP,
       tcp_bare,
       {0, 1, 2, 3, 16, 17},
       {12, 13, 14, 15, 18, 19, 20, 21, 22, 23}},
      {"UDP", IPPROTO_UDP, udp(1, 2, kPayload), {0, 1, 2, 3, 6, 7}, {4, 5}},
      {"UDP-Lite", 136, udp(1, 2, kPayload), {0, 1, 2, 3, 6, 7}, {4, 5}},
      {"DCCP", 33, udp(1, 2, kPayload), {0, 1, 2, 3, 6, 7}, {4, 5}},
      {"echo", icmp_number, icmp(v4 ? 8 : 128, 3, 1, kPayload), {2, 3, 4, 5}},
      {"echo reply", icmp_number, icmp(v4 ? 0 : 129, 3, 1, kPayload), {2, 3, 4, 5}},
      {"neighbour discovery", icmp_number, icmp(v4 ? 10 : 135, 0, 0, kPayload), {2, 3}},
      {"error",
       icmp_number,
       icmp(v4 ? 3 : 2, 0, 1400, quoted),
       {2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31}},
      {"SCTP", IPPROTO_SCTP, sctp, {0, 1, 2, 3, 8, 9, 10, 11}},
      {"ESP", IPPROTO_ESP, joined({number(0x1001, 4), number(17, 4), kPayload}), {}},
      {"AH",
       IPPROTO_AH,
       joined({number(0x06040000, 4), number(0x1001, 4), number(17, 4), kPayload}),
       {}},
      {"GRE", IPPROTO_GRE, gre(0x3000, 0x88be, kPayload), {}},
      {"PPTP",
       IPPROTO_GRE,
       joined({number(0x3001880b, 4), ports(30, 9), number(4, 4), kPayload}),
       {6, 7},
       {0, 1, 2, 3}},
      {"another", 89, kPayload, {}},
  };
}

bool has(const std::vector<std::size_t>& offsets, std::size_t offset) {
  return std::find(offsets.begin(), offsets.end(), offset) != offsets.end();
}

}  // namespace

TEST_CASE("NAT leaves the key alone, and any other byte that a packet begins with changes it") {
  const int family = GENERATE(4, 6);
  for (const auto& protocol : protocols(family)) {
    INFO(protocol.name << " over IPv" << family);
    const Ip ip = {.family = family, .protocol = protocol.number, .id = 99, .flow_label = 0x12345};
    const std::uint64_t key = key_of(ip, protocol.content);
    Ip translated = ip;
    translated.source = 0xc0a83801;
    translated.destination = 0xc0a83802;
    translated.ttl = 3;
    translated.checksum = 0xffff;
    CHECK(key_of(translated, protocol.content) == key);

    for (std::size_t at = 0; at < std::min(kToldApartBy, protocol.content.size()); ++at) {
      INFO("byte " << at);
      if (has(protocol.not_told, at)) continue;
      Bytes other = protocol.content;
      other[at] ^= 0x40;
      CHECK((key_of(ip, other) == key) == has(protocol.changed_by_nat, at));
    }
    Ip another = ip;
    if (family == 4) another.id ^= 1;
    if (family == 6) another.flow_label ^= 1;
    CHECK(key_of(another, protocol.content) != key);
  }
}

TEST_CASE("the last bytes of a short packet tell it apart, what a frame is padded with does not") {
  const int family = GENERATE(4, 6);
  for (std::size_t size = 1; size <= 24; ++size) {
    const Bytes payload(size, 'a');
    Bytes other = payload;
    other.back() = 'b';
    const Ip ip = {.family = family};
    const auto key = key_of(ip, udp(1, 2, payload));
    CHECK(key_of(ip, udp(1, 2, other)) != key);
    CHECK(key_of(joined({packet(ip, udp(1, 2, payload)), Bytes(46, 'p')}), ether_type(ip)) == key);
  }
}

TEST_CASE("a tunnel or a tag around a packet leaves its key alone") {
  const int family = GENERATE(4, 6);
  const int outer_family = GENERATE(4, 6);
  for (const auto& protocol : protocols(family)) {
    INFO(protocol.name << " over IPv" << family << " over IPv" << outer_family);
    const Ip ip = {.family = family, .protocol = protocol.number, .id = 99, .flow_label = 0x12345};
    const Bytes inner = packet(ip, protocol.content);
    const std::uint16_t type = ether_type(ip);
    const std::uint64_t key = key_of(inner, type);
    const auto tunnel = [&](std::uint8_t number, const Bytes& content) {
      return key_of({.family = outer_family, .protocol = number, .id = 7, .flow_label = 1},
                    content);
    };
    const Bytes framed = frame(type, inner);
    const Bytes option = number(0x0102'8001'0000'0000, 8);
    CHECK(tunnel(IPPROTO_UDP, vxlan(100, framed)) == key);
    CHECK(tunnel(IPPROTO_UDP, geneve(100, {}, kEthernet, framed)) == key);
    CHECK(tunnel(IPPROTO_UDP, geneve(100, option, kEthernet, framed)) == key);
    CHECK(tunnel(IPPROTO_UDP, geneve(100, option, type, inner)) == key);
    for (const std::uint16_t flags : {0, 0x2000, 0x3000, 0xb000, 0x8000}) {
      CHECK(tunnel(IPPROTO_GRE, gre(flags, type, inner)) == key);
      CHECK(tunnel(IPPROTO_GRE, gre(flags, kEthernet, framed)) == key);
    }
    CHECK(tunnel(family == 4 ? IPPROTO_IPIP : IPPROTO_IPV6, inner) == key);
  }
}

TEST_CASE("a TCP packet and its first segment have one key, its segments have others") {
  const int family = GENERATE(4, 6);
  const Ip ip = {.family = family, .protocol = IPPROTO_TCP, .id = 5, .fragment = kDontFragment};
  const auto segment = [&](std::uint32_t sequence, std::uint8_t flags, std::size_t size) {
    return key_of(
        ip, tcp({.sequence = sequence, .flags = flags, .options = timestamps(1, 2)}, Bytes(size)));
  };
  constexpr std::uint8_t kFin = 1, kRst = 4, kPush = 8, kAck = 16;
  CHECK(segment(1000, kAck | kPush | kFin, 4200) == segment(1000, kAck, 1400));
  CHECK(segment(2400, kAck, 1400) != segment(1000, kAck, 1400));
  // Without payload nothing is segmented: an acknowledgment, a FIN and a RST of one number differ.
  CHECK(segment(1000, kAck, 0) != segment(1000, kAck | kFin, 0));
  CHECK(segment(1000, kAck, 0) != segment(1000, kAck | kRst, 0));
  CHECK(segment(1000, kAck, 0) != segment(1000, kAck, 1));
}

TEST_CASE("of a SYN its time tells, not the segment size that is rewritten on the way") {
  const int family = GENERATE(4, 6);
  const auto syn = [&](std::uint16_t segment_size, std::uint32_t time) {
    const Bytes options = joined({number(0x0204, 2), number(segment_size, 2), number(0x0402080a, 4),
                                  number(time, 4), number(0, 4), number(0x01030307, 4)});
    return key_of({.family = family, .protocol = IPPROTO_TCP},
                  tcp({.flags = 2, .options = options}, {}));
  };
  CHECK(syn(1460, 1000) == syn(1360, 1000));
  CHECK(syn(1460, 1000) != syn(1460, 2000));
}

TEST_CASE("of a million pairs of packets that differ no two are alike") {
  std::mt19937_64 random(20261125);
  std::vector<std::pair<Bytes, std::uint16_t>> templates;
  std::vector<std::vector<std::size_t>> told;  // offsets of bytes that are the packet's own
  for (const int family : {4, 6}) {
    for (const auto& protocol : protocols(family)) {
      const Ip ip = {.family = family, .protocol = protocol.number};
      const std::size_t header = family == 4 ? 20 : 40;
      std::vector<std::size_t> offsets = {2, 3};  // of the flow label
      if (family == 4) offsets = {4, 5};          // of the id
      for (std::size_t at = 0; at < std::min(kToldApartBy, protocol.content.size()); ++at) {
        const bool is_kind = protocol.number == IPPROTO_GRE && at < 4;
        const bool is_icmp = protocol.number == IPPROTO_ICMP || protocol.number == IPPROTO_ICMPV6;
        if (!has(protocol.changed_by_nat, at) && !has(protocol.not_told, at) && !is_kind &&
            !(is_icmp && at == 0))
          offsets.push_back(header + at);
      }
      templates.emplace_back(packet(ip, protocol.content), ether_type(ip));
      told.push_back(offsets);
    }
  }
  constexpr int kPairs = 1'000'000;
  std::size_t alike = 0;
  for (int pair = 0; pair < kPairs; ++pair) {
    const std::size_t which = random() % templates.size();
    auto& [bytes, type] = templates[which];
    const auto& offsets = told[which];
    for (const std::size_t at : offsets) bytes[at] = static_cast<std::uint8_t>(random());
    const std::uint64_t key = key_of(bytes, type);
    // The other one differs by a byte, as like packets do, or by a few.
    for (int changes = static_cast<int>(random() % 4); changes > 0; --changes)
      bytes[offsets[1 + random() % (offsets.size() - 1)]] = static_cast<std::uint8_t>(random());
    bytes[offsets.front()] ^= static_cast<std::uint8_t>(1 + random() % 255);
    alike += key_of(bytes, type) == key;
  }
  CHECK(alike == 0);
}
