// What is read of the rules of iptables-legacy: the kernel's table, and the program's words.
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "node/rules/xt_blob.hpp"
#include "node/rules/xt_save.hpp"

using namespace dptrace;

namespace {

// A table as the kernel gives it, built rule by rule.
template <typename Entry>
class Blob {
 public:
  /// Adds a rule with `matches` bytes of matches, and returns its offset.
  std::uint32_t add(const std::string& target, std::vector<std::byte> data,
                    std::size_t matches = 0) {
    const std::size_t offset = bytes_.size();
    Entry entry{};
    entry.target_offset = static_cast<std::uint16_t>(sizeof entry + matches);
    entry.next_offset =
        static_cast<std::uint16_t>(entry.target_offset + sizeof(xt_entry_target) + data.size());
    bytes_.resize(offset + entry.next_offset);
    std::memcpy(bytes_.data() + offset, &entry, sizeof entry);
    const std::size_t name = offset + entry.target_offset + offsetof(xt_entry_target, u.user.name);
    std::memcpy(bytes_.data() + name, target.data(), target.size());
    if (!data.empty())
      std::memcpy(bytes_.data() + offset + entry.target_offset + sizeof(xt_entry_target),
                  data.data(), data.size());
    return static_cast<std::uint32_t>(offset);
  }
  std::uint32_t verdict(std::int32_t value, std::size_t matches = 0) {
    std::vector<std::byte> data(8);
    std::memcpy(data.data(), &value, sizeof value);
    return add("", std::move(data), matches);
  }
  std::uint32_t head(const std::string& chain) {
    std::vector<std::byte> data(XT_FUNCTION_MAXNAMELEN + 2);
    std::memcpy(data.data(), chain.data(), chain.size());
    return add(XT_ERROR_TARGET, std::move(data));
  }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

constexpr std::int32_t kDrop = -NF_DROP - 1, kAccept = -NF_ACCEPT - 1, kReturn = XT_RETURN;

struct Table {
  std::vector<std::byte> blob;
  XtHooks hooks;
  std::uint32_t chain = 0;  // the offset of the first rule of `svc`
};

// FORWARD has a DROP, a jump to `svc`, a REJECT and its policy; INPUT has its policy alone.
template <typename Entry>
Table small_table() {
  Blob<Entry> blob;
  Table table;
  table.hooks.valid = 1U << NF_INET_LOCAL_IN | 1U << NF_INET_FORWARD;
  table.hooks.first[NF_INET_LOCAL_IN] = table.hooks.policy[NF_INET_LOCAL_IN] =
      blob.verdict(kAccept);
  table.hooks.first[NF_INET_FORWARD] = blob.verdict(kDrop, 48);
  const auto jump = blob.verdict(0);
  blob.add("REJECT", std::vector<std::byte>(8));
  table.hooks.policy[NF_INET_FORWARD] = blob.verdict(kDrop);
  blob.head("svc");
  table.chain = blob.verdict(kDrop, 16);
  blob.verdict(kReturn);
  blob.head("ERROR");
  table.blob = blob.bytes();
  std::memcpy(table.blob.data() + jump + sizeof(Entry) + sizeof(xt_entry_target), &table.chain,
              sizeof table.chain);
  return table;
}

template <typename Entry>
constexpr std::uint8_t kFamily = NFPROTO_IPV4;
template <>
constexpr std::uint8_t kFamily<ip6t_entry> = NFPROTO_IPV6;

}  // namespace

TEMPLATE_TEST_CASE("each rule of iptables-legacy has its chain and number", "", ipt_entry,
                   ip6t_entry) {
  const auto table = small_table<TestType>();
  const auto rules = walk_xt_blob(kFamily<TestType>, table.hooks, table.blob);
  REQUIRE(rules);
  REQUIRE(rules->size() == 9);
  using Kind = XtRule::Kind;
  const auto is = [&](std::size_t at, Kind kind, const char* chain, std::uint32_t number) {
    const auto& rule = (*rules)[at];
    CHECK((rule.kind == kind && rule.chain == chain && rule.number == number));
  };
  is(0, Kind::kPolicy, "INPUT", 0);
  is(1, Kind::kRule, "FORWARD", 1);
  is(2, Kind::kRule, "FORWARD", 2);
  is(3, Kind::kRule, "FORWARD", 3);
  is(4, Kind::kPolicy, "FORWARD", 0);
  is(5, Kind::kHead, "svc", 0);
  is(6, Kind::kRule, "svc", 1);
  is(7, Kind::kEnd, "svc", 0);
  is(8, Kind::kHead, "ERROR", 0);
  CHECK((*rules)[1].verdict == kDrop);
  CHECK((*rules)[2].verdict == static_cast<std::int32_t>(table.chain));
  CHECK((*rules)[2].offset < (*rules)[6].offset);
  CHECK((*rules)[6].offset == table.chain);
  CHECK((*rules)[3].target == "REJECT");
}

TEST_CASE("a damaged table of iptables-legacy is refused") {
  const auto table = small_table<ipt_entry>();
  for (std::size_t size = 1; size < table.blob.size(); ++size) {
    const std::vector<std::byte> cut(table.blob.begin(), table.blob.begin() + size);
    const auto rules = walk_xt_blob(NFPROTO_IPV4, table.hooks, cut);
    CHECK((!rules || rules->size() < 9));
  }
  for (std::size_t at = 0; at < table.blob.size(); ++at) {
    for (const int value : {0x00, 0x01, 0x7f, 0xff}) {
      auto damaged = table.blob;
      damaged[at] = static_cast<std::byte>(value);
      (void)walk_xt_blob(NFPROTO_IPV4, table.hooks, damaged);
    }
  }
}

TEST_CASE("the words of iptables-legacy-save are kept by chain, in order") {
  const auto saved = parse_saved(
      "# Generated by iptables-save v1.8.9\n*filter\n:FORWARD DROP [3:84]\n:svc - [0:0]\n"
      "-A FORWARD -p udp -m comment --comment \"a -A svc b\" -j DROP\n-A svc\n-A FORWARD -j svc\n"
      "COMMIT\n");
  REQUIRE(saved.size() == 2);
  CHECK(saved.at("FORWARD") ==
        std::vector<std::string>{"-p udp -m comment --comment \"a -A svc b\" -j DROP", "-j svc"});
  CHECK(saved.at("svc") == std::vector<std::string>{""});
  CHECK(parse_saved("").empty());
  CHECK(parse_saved("-A FORWARD").at("FORWARD").size() == 1);
}
