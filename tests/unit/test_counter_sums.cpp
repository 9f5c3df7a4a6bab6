#include <catch2/catch.hpp>
#include <string>

#include "counters/counter_sums.hpp"

using namespace dptrace;

namespace {

using Readings = std::vector<CounterReading>;
using Told = std::vector<std::string>;

Told told(const CounterSums& sums) {
  std::vector<LossCounter> counters;
  sums.append_to(counters, 7);
  Told told;
  for (const auto& counter : counters) {
    told.push_back(counter.group + " " + std::to_string(counter.interface.netns) + "/" +
                   std::to_string(counter.interface.index) + " " + counter.name + " " +
                   std::to_string(counter.total) + " +" + std::to_string(counter.interval));
  }
  return told;
}

Told after(CounterSums& sums, CounterSource source, const Readings& readings) {
  sums.begin_interval();
  sums.take(source, readings);
  return told(sums);
}

constexpr auto kDevice = CounterSource::kDevice;
constexpr auto kQdisc = CounterSource::kQdisc;
constexpr auto kTcp = CounterSource::kTcp;
constexpr auto kSoftnet = CounterSource::kSoftnet;

CounterReading rx(std::uint32_t index, std::uint64_t value) {
  return {.name = "rx_dropped", .index = index, .value = value};
}
CounterReading on_cpu(std::uint32_t cpu, std::uint64_t value) {
  return {.name = "dropped", .cpu = cpu, .value = value, .is_32_bit = true};
}
CounterReading drops(std::uint32_t handle, std::uint64_t value) {
  return {.name = "drops", .index = 3, .generation = handle, .value = value, .is_32_bit = true};
}

}  // namespace

TEST_CASE("what was lost before the watch is not counted") {
  CounterSums sums(false);
  CHECK(after(sums, kDevice, {rx(2, 100), rx(3, 0)}).empty());
  CHECK(after(sums, kDevice, {rx(2, 103), rx(3, 1)}) ==
        Told{"device 7/2 rx_dropped 3 +3", "device 7/3 rx_dropped 1 +1"});
  CHECK(after(sums, kDevice, {rx(2, 104), rx(3, 1)}) ==
        Told{"device 7/2 rx_dropped 4 +1", "device 7/3 rx_dropped 1 +0"});
}

TEST_CASE("a device that was created during the watch counts from 0") {
  CounterSums sums(false);
  after(sums, kDevice, {rx(2, 100)});
  CHECK(after(sums, kDevice, {rx(2, 100), rx(9, 5)}) == Told{"device 7/9 rx_dropped 5 +5"});
}

TEST_CASE("so does all of a netns that was") {
  CounterSums sums(true);
  CHECK(after(sums, kDevice, {rx(2, 100)}) == Told{"device 7/2 rx_dropped 100 +100"});
}

TEST_CASE("a source that failed at first begins where it is first read") {
  CounterSums sums(false);
  after(sums, kDevice, {});
  CHECK(after(sums, kTcp, {{.name = "ListenDrops", .value = 50}}).empty());
  CHECK(after(sums, kTcp, {{.name = "ListenDrops", .value = 52}}) ==
        Told{"tcp 7/0 ListenDrops 2 +2"});
}

TEST_CASE("a counter that goes back has begun again at 0") {
  CounterSums sums(false);
  after(sums, kDevice, {rx(2, 100)});
  CHECK(after(sums, kDevice, {rx(2, 4)}) == Told{"device 7/2 rx_dropped 4 +4"});
  CHECK(after(sums, kDevice, {rx(2, 0)}) == Told{"device 7/2 rx_dropped 4 +0"});
  CHECK(after(sums, kDevice, {rx(2, 6)}) == Told{"device 7/2 rx_dropped 10 +6"});
}

TEST_CASE("32 bits wrap around") {
  CounterSums sums(false);
  after(sums, kSoftnet, {on_cpu(0, 0xfffffffe)});
  CHECK(after(sums, kSoftnet, {on_cpu(0, 3)}) == Told{"softnet 0/0 dropped 5 +5"});
}

TEST_CASE("the CPUs' values are one counter, also when one of them was away") {
  CounterSums sums(false);
  after(sums, kSoftnet, {on_cpu(0, 10), on_cpu(1, 20)});
  CHECK(after(sums, kSoftnet, {on_cpu(0, 11), on_cpu(1, 22)}) == Told{"softnet 0/0 dropped 3 +3"});
  for (int i = 0; i < 3; ++i) after(sums, kSoftnet, {on_cpu(0, 11)});
  CHECK(after(sums, kSoftnet, {on_cpu(0, 11), on_cpu(1, 23)}) == Told{"softnet 0/0 dropped 4 +1"});
}

TEST_CASE("a qdisc in the place of another counts from 0, and the sum goes on") {
  CounterSums sums(false);
  after(sums, kQdisc, {drops(0x10000, 5)});
  CHECK(after(sums, kQdisc, {drops(0x10000, 7)}) == Told{"qdisc 7/3 drops 2 +2"});
  CHECK(after(sums, kQdisc, {drops(0x20000, 9)}) == Told{"qdisc 7/3 drops 11 +9"});
}

TEST_CASE("a device that a dump passed over once is not new, and one that is gone is not told") {
  CounterSums sums(false);
  after(sums, kDevice, {rx(2, 100)});
  CHECK(after(sums, kDevice, {rx(2, 101)}) == Told{"device 7/2 rx_dropped 1 +1"});
  CHECK(after(sums, kDevice, {}) == Told{"device 7/2 rx_dropped 1 +0"});
  CHECK(after(sums, kDevice, {rx(2, 102)}) == Told{"device 7/2 rx_dropped 2 +1"});
  after(sums, kDevice, {});
  CHECK(after(sums, kDevice, {}).empty());
}

TEST_CASE("sources do not touch each other's counters") {
  CounterSums sums(true);
  after(sums, kDevice, {rx(2, 1)});
  for (int i = 0; i < 3; ++i) {
    CHECK(after(sums, kTcp, {{.name = "ListenDrops", .value = 2}}).size() == 2);
  }
}
