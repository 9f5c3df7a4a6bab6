#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

#include "decode/decode.hpp"
#include "support/wire.hpp"

using namespace dptrace;
using namespace dptrace::test;

namespace {

template <typename T>
std::span<const std::byte> bytes_of(const T& value, std::size_t size = sizeof(T)) {
  return {reinterpret_cast<const std::byte*>(&value), size};
}

}  // namespace

TEST_CASE("every kind of event is decoded to its type") {
  const auto plain = hop({1, DPT_POINT_TC_INGRESS, 1, 2}, echo_request(1), 7);
  CHECK(std::holds_alternative<dpt_hop>(decode(bytes_of(plain)).value()));
  const auto dropped = drop({1, 0, 1, 2}, echo_request(1), 7, 0x1000, 3);
  CHECK(std::holds_alternative<dpt_drop>(decode(bytes_of(dropped)).value()));
  const auto verdict = netfilter({1, 0, 1, 2}, echo_request(1), 7, 2, 1);
  CHECK(std::holds_alternative<dpt_netfilter>(decode(bytes_of(verdict)).value()));
  dpt_device device{};
  device.event = {DPT_EVENT_DEVICE, sizeof device, 0, 1};
  CHECK(std::holds_alternative<dpt_device>(decode(bytes_of(device)).value()));
}

TEST_CASE("a hop without a tunnel ends before it") {
  auto plain = hop({1, DPT_POINT_TC_INGRESS, 1, 2}, echo_request(1), 7);
  constexpr auto kShort = offsetof(dpt_hop, tunnel);
  plain.event.size = kShort;
  plain.tunnel.kind = DPT_TUNNEL_VXLAN;  // beyond the record: not to be read
  const auto decoded = decode(bytes_of(plain, kShort));
  REQUIRE(decoded);
  CHECK(std::get<dpt_hop>(*decoded).tunnel.kind == DPT_TUNNEL_NONE);
}

TEST_CASE("a record of a wrong length is refused, whatever its kind") {
  auto record = drop({1, 0, 1, 2}, echo_request(1), 7, 0x1000, 3);
  record.hop.skb = 0;  // where a loss keeps its beginning
  for (std::uint16_t kind = 0; kind < 10; ++kind) {
    for (std::uint16_t size = 0; size < sizeof record; ++size) {
      record.hop.event.kind = kind;
      record.hop.event.size = size;
      const bool is_hop =
          kind == DPT_EVENT_HOP && (size == sizeof(dpt_hop) || size == offsetof(dpt_hop, tunnel));
      const bool is_netfilter = kind == DPT_EVENT_NETFILTER && size == sizeof(dpt_netfilter);
      const bool is_device = kind == DPT_EVENT_DEVICE && size == sizeof(dpt_device);
      const bool is_end = kind == DPT_EVENT_END && size == sizeof(dpt_end);
      const bool is_lost = kind == DPT_EVENT_LOST && size == sizeof(dpt_lost);
      const bool is_rule = kind == DPT_EVENT_RULE && size == sizeof(dpt_rule);
      // Recordings of older versions have no mark.
      const bool is_drop = kind == DPT_EVENT_DROP && size == offsetof(dpt_drop, mark);
      const bool is_full = kind == DPT_EVENT_FULL_LISTENER && size == sizeof(dpt_full_listener);
      const bool is_right =
          is_hop || is_drop || is_netfilter || is_device || is_end || is_lost || is_rule || is_full;
      CHECK(decode(bytes_of(record, size)).has_value() == is_right);
    }
  }
}

TEST_CASE("a header that belies the record's length is refused") {
  auto plain = hop({1, DPT_POINT_TC_INGRESS, 1, 2}, echo_request(1), 7);
  plain.event.size = sizeof plain - 8;
  CHECK_FALSE(decode(bytes_of(plain)));
}

TEST_CASE("a stack deeper than the record holds is refused") {
  auto dropped = drop({1, 0, 1, 2}, echo_request(1), 7, 0x1000, 3);
  dropped.stack_depth = DPT_STACK_DEPTH + 1;
  CHECK_FALSE(decode(bytes_of(dropped)));
}

TEST_CASE("a loss that ends before it begins is refused") {
  dpt_lost lost{};
  lost.event = {DPT_EVENT_LOST, sizeof lost, 0, 5};
  lost.since_ns = 5;
  CHECK(decode(bytes_of(lost)));
  lost.since_ns = 6;
  CHECK_FALSE(decode(bytes_of(lost)));
}

TEST_CASE("a device's name always ends") {
  dpt_device device{};
  device.event = {DPT_EVENT_DEVICE, sizeof device, 0, 1};
  std::memset(device.name, 'x', sizeof device.name);
  const auto decoded = decode(bytes_of(device));
  REQUIRE(decoded);
  CHECK(std::strlen(std::get<dpt_device>(*decoded).name) == DPT_NAME_LENGTH - 1);
}

TEST_CASE("a rule whose path is longer than a record has room for is refused") {
  dpt_rule rule{};
  rule.event = {DPT_EVENT_RULE, sizeof rule, 0, 1};
  rule.path_length = DPT_RULE_PATH;
  CHECK(decode(bytes_of(rule, sizeof rule)));
  rule.path_length = DPT_RULE_PATH + 1;
  CHECK_FALSE(decode(bytes_of(rule, sizeof rule)));
}
