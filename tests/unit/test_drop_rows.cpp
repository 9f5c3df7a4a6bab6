#include <catch2/catch.hpp>

#include "drops/drop_rows.hpp"
#include "support/sample_drops.hpp"

using namespace dptrace;
using namespace dptrace::sample;

TEST_CASE("counts of intervals add up, rates are of their own interval") {
  const Names names = sample::names();
  DropRows rows(names);
  rows.add(counts(0, {{kind(), 1, {10, 1000}}}));
  const DropTable& table = rows.add(counts(1, {{kind(), 1, {30, 3000}}}));
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0].total == DropCount{40, 4000});
  CHECK(table.rows[0].interval == DropCount{30, 3000});
  CHECK(table.rows[0].rate == 30);
  CHECK(table.rows[0].rate_before == 10);
  CHECK(table.rows[0].first_ns == kStart);
  CHECK(table.rows[0].last_ns == kStart + 2 * kSecond);
  CHECK(table.interval_ns == kSecond);
  CHECK(table.losses == DropCount{40, 4000});
}

TEST_CASE("a kind that stays away keeps its row and loses its rate") {
  const Names names = sample::names();
  DropRows rows(names);
  rows.add(counts(0, {{kind(), 1, {10, 1000}}}));
  const DropTable& table = rows.add(counts(1));
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0].interval == DropCount{});
  CHECK(table.rows[0].rate == 0);
  CHECK(table.rows[0].rate_before == 10);
  CHECK(table.rows[0].last_ns == kStart + kSecond);
}

TEST_CASE("kinds of the first interval are not new, later ones are, once") {
  const Names names = sample::names();
  DropRows rows(names);
  CHECK_FALSE(rows.add(counts(0, {{kind(), 1, {1, 60}}})).rows[0].is_new);
  const auto both = std::vector<KindCount>{{kind(), 1, {2, 60}}, {kind(6), 2, {1, 60}}};
  const DropTable& table = rows.add(counts(1, both));
  CHECK_FALSE(table.rows[0].is_new);
  CHECK(table.rows[1].is_new);
  rows.add(counts(2, both));
  CHECK_FALSE(table.rows[1].is_new);
}

TEST_CASE("losses come first, then what is frequent, then what was") {
  Names names = sample::names();
  names.reasons[4] = "CONSUMED";
  DropRows rows(names);
  rows.add(counts(0, {{kind(9), 1, {100, 0}}}));
  const DropTable& table =
      rows.add(counts(1, {{kind(4), 2, {1000, 0}}, {kind(6), 3, {7, 0}}, {kind(2), 4, {5, 0}}}));
  std::vector<std::uint64_t> order;
  for (const auto& row : table.rows) order.push_back(row.id);
  CHECK(order == std::vector<std::uint64_t>{3, 4, 1, 2});
  CHECK(table.losses.packets == 112);
  CHECK(table.harmless.packets == 1000);
}

TEST_CASE("the next pod with an address or a netns begins at nothing") {
  Names names = sample::names();
  DropKind of_pod = kind();
  of_pod.pod = Address::parse("10.244.1.9").value();
  of_pod.interface = {77, 2};
  DropRows rows(names);
  rows.add(counts(0, {{of_pod, 1, {10, 1000}}}));
  names.pods[*of_pod.pod] = "default/first";
  names.netns[77].name = "cni-first";
  CHECK(rows.add(counts(1, {{of_pod, 1, {5, 500}}})).rows.at(0).total == DropCount{15, 1500});
  CHECK(rows.add(counts(2)).rows.size() == 1);

  SECTION("the address is another pod's") { names.pods[*of_pod.pod] = "default/second"; }
  SECTION("the netns is another one") { names.netns[77].name = "cni-second"; }
  SECTION("both are") {
    names.pods[*of_pod.pod] = "default/second";
    names.netns[77].name = "cni-second";
  }
  const DropTable& table = rows.add(counts(3, {{of_pod, 1, {2, 200}}}));
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0].total == DropCount{2, 200});
  CHECK(table.rows[0].is_new);
  CHECK(table.folded == DropCount{15, 1500});
  CHECK(table.losses == DropCount{17, 1700});
}

TEST_CASE("what is no longer known is still the same pod's") {
  Names names = sample::names();
  DropKind of_pod = kind();
  of_pod.pod = Address::parse("10.244.1.9").value();
  names.pods[*of_pod.pod] = "default/first";
  DropRows rows(names);
  rows.add(counts(0, {{of_pod, 1, {10, 1000}}}));
  names.pods.erase(*of_pod.pod);
  CHECK(rows.add(counts(1, {{of_pod, 1, {1, 100}}})).rows.at(0).total == DropCount{11, 1100});
  names.pods[*of_pod.pod] = "default/second";
  CHECK(rows.add(counts(2)).rows.empty());
}

TEST_CASE("what found no room is a loss of its own") {
  const Names names = sample::names();
  DropRows rows(names);
  DropCounts one = counts(0);
  one.other = {5, 500};
  one.samples_lost = 3;
  one.not_examined = 2;
  rows.add(one);
  const DropTable& table = rows.add(counts(1));
  CHECK(table.other == DropCount{5, 500});
  CHECK(table.other_interval == DropCount{});
  CHECK(table.losses == DropCount{5, 500});
  CHECK(table.samples_lost == 3);
  CHECK(table.not_examined == 2);
}

TEST_CASE("samples go to their row, the last ones stay") {
  const Names names = sample::names();
  DropRows rows(names, {.row_samples = 2});
  for (std::uint64_t i = 0; i < 3; ++i) rows.add_sample(1, drop_sample(100 + i));
  const DropTable& table = rows.add(counts(0, {{kind(), 1, {3, 0}}}));
  REQUIRE(table.rows[0].samples.size() == 2);
  CHECK(table.rows[0].samples[0].drop.time_ns == kStart + 101);
  CHECK(table.rows[0].samples[1].drop.time_ns == kStart + 102);
  CHECK(table.rows[0].first_ns == kStart + 100);
}

TEST_CASE("a sample may come before its count, by one interval") {
  const Names names = sample::names();
  DropRows rows(names);
  rows.add_sample(1, drop_sample());
  rows.add_sample(2, drop_sample());
  rows.add(counts(0));
  const DropTable& table = rows.add(counts(1, {{kind(), 1, {1, 0}}}));
  CHECK(table.rows[0].samples.size() == 1);
  rows.add(counts(2, {{kind(6), 2, {1, 0}}}));
  CHECK(table.rows[0].samples.empty());
}

TEST_CASE("kinds that differ only in what decides whether they are losses share a row") {
  Names names = sample::names();
  names.reasons[3] = "NO_SOCKET";
  DropKind data = kind(3, kIpError, 6), syn = data, fin = data, many = data;
  data.segment = DPT_SEGMENT_DATA;
  syn.segment = DPT_SEGMENT_SYN;
  fin.segment = DPT_SEGMENT_EMPTY;
  many.packet_type = 1;
  DropRows rows(names);
  rows.add_sample(2, drop_sample(7));
  rows.add(counts(0, {{data, 1, {1, 0}}, {syn, 2, {2, 0}}, {fin, 3, {4, 0}}, {many, 4, {8, 0}}}));
  const DropTable& table =
      rows.add(counts(1, {{syn, 2, {16, 0}}, {fin, 3, {32, 0}}, {data, 1, {64, 0}}}));
  REQUIRE(table.rows.size() == 3);
  CHECK(table.rows[0].end == End::kLoss);
  CHECK(table.rows[0].total.packets == 1 + 2 + 16 + 64);
  CHECK(table.rows[0].samples.size() == 1);
  CHECK(table.rows[1].end == End::kClosed);
  CHECK(table.rows[1].total.packets == 4 + 32);
  CHECK(table.rows[2].end == End::kUnwanted);
  CHECK(table.losses.packets == 83);
}

TEST_CASE("all rows together keep no more samples than they may, each its last") {
  const Names names = sample::names();
  DropRows rows(names, {.samples = 3});
  for (std::uint64_t id = 1; id <= 2; ++id) {
    for (std::uint64_t i = 0; i < 5; ++i) rows.add_sample(id, drop_sample(i));
  }
  const DropTable& table = rows.add(counts(0, {{kind(9), 1, {5, 0}}, {kind(6), 2, {5, 0}}}));
  CHECK(table.rows[0].samples.size() + table.rows[1].samples.size() == 4);
  for (const auto& row : table.rows) CHECK(row.samples.back().drop.time_ns == kStart + 4);
}

TEST_CASE("rows not seen for long are folded, and said to be") {
  const Names names = sample::names();
  DropRows rows(names, {.idle_ns = 3 * kSecond});
  rows.add(counts(0, {{kind(9), 1, {10, 1000}}}));
  rows.add(counts(3, {{kind(6), 2, {1, 100}}}));
  const DropTable& table = rows.add(counts(4));
  REQUIRE(table.rows.size() == 1);
  CHECK(table.rows[0].id == 2);
  CHECK(table.folded == DropCount{10, 1000});
  CHECK(table.folded_rows == 1);
  CHECK(table.losses.packets == 11);
}

TEST_CASE("there are never more rows than limits allow, unless one interval has them") {
  const Names names = sample::names();
  DropRows rows(names, {.rows = 2});
  rows.add(counts(0, {{kind(9), 1, {1, 0}}}));
  rows.add(counts(1, {{kind(6), 2, {1, 0}}}));
  const DropTable& table = rows.add(counts(2, {{kind(2), 3, {1, 0}}}));
  CHECK(table.rows.size() == 2);
  CHECK(table.folded_rows == 1);
  rows.add(counts(3, {{kind(2), 3, {1, 0}}, {kind(6), 2, {1, 0}}, {kind(9), 1, {1, 0}}}));
  CHECK(table.rows.size() == 3);
  CHECK(table.folded_rows == 1);
  CHECK(table.losses.packets == 6);
}

TEST_CASE("a sample's record becomes a value") {
  dpt_drop record{};
  record.hop.event.time_ns = 7;
  record.hop.netns = kHome;
  record.hop.ifindex = 31;
  record.hop.length = 84;
  record.hop.flow = flow("10.244.1.2", "10.244.1.3", 6);
  record.location = kIpError;
  record.reason = 9;
  record.has_reason = 1;
  record.stack_depth = 2;
  record.stack[0] = kIpError;
  record.stack[1] = kIpRcv;
  const DropSample sample = to_sample(record);
  CHECK(sample.drop.time_ns == 7);
  CHECK(sample.drop.interface == kCni0);
  CHECK(sample.drop.reason == 9);
  CHECK(sample.drop.stack == std::vector<std::uint64_t>{kIpError, kIpRcv});
  CHECK(sample.flow.protocol == 6);
  CHECK(sample.length == 84);
  CHECK_FALSE(sample.tunnel);
  record.has_reason = 0;
  record.hop.tunnel = vxlan("10.0.0.1", "10.0.0.2");
  CHECK_FALSE(to_sample(record).drop.reason);
  CHECK(to_sample(record).tunnel->id == 1);
}
