// Which skbs may carry a packet of ours: what is not marked must be none.
#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>
#include <span>

#include "capture/marks.hpp"
#include "packet_reader.h"

namespace dptrace {
namespace {

constexpr std::uint64_t kPeriod = 1000;

class Programs {
 public:
  Programs() { clear(); }
  ~Programs() { clear(); }
  Programs(const Programs&) = delete;
  Programs& operator=(const Programs&) = delete;

  std::span<std::uint32_t> marks() { return {marks_of_skbs(), DPT_MARKS}; }
  std::span<std::uint8_t> translated() { return {marks_of_translated(), DPT_TRANSLATED_MARKS}; }

 private:
  void clear() {
    std::fill(marks().begin(), marks().end(), 0);
    std::fill(translated().begin(), translated().end(), 0);
  }
};

// Of one 4 GiB: by half of the address others are the same.
std::uint64_t any_address(std::mt19937_64& random) {
  return 0xffff888000000000ULL | (random() & 0xffffffc0ULL);
}

TEST_CASE("an skb is known by its own address and by that of its data") {
  Programs programs;
  mark_skb(0xffff888001234500, 0xffff888005678000);
  CHECK(is_marked(0xffff888001234500, 0xffff888005678000));
  CHECK(is_marked(0xffff888001234500, 0xffff888009999000));  // its head was expanded
  CHECK(is_marked(0xffff888007777700, 0xffff888005678000));  // a clone
  CHECK_FALSE(is_marked(0xffff888007777700, 0xffff888009999000));
}

TEST_CASE("a mark lasts for one period and no longer than two") {
  Programs programs;
  Marks marks(programs.marks(), programs.translated());
  marks.fade(kPeriod, kPeriod);
  mark_skb(0xffff888001234500, 0);
  marks.fade(kPeriod + 1, kPeriod);  // too early
  marks.fade(2 * kPeriod, kPeriod);
  CHECK(is_marked(0xffff888001234500, 0xffff888009999000));
  SECTION("then it is gone") {
    marks.fade(3 * kPeriod, kPeriod);
    CHECK_FALSE(is_marked(0xffff888001234500, 0xffff888009999000));
  }
  SECTION("unless it is made again") {
    mark_skb(0xffff888001234500, 0);
    marks.fade(3 * kPeriod, kPeriod);
    CHECK(is_marked(0xffff888001234500, 0xffff888009999000));
  }
}

TEST_CASE("what NAT has made of a packet is known for as long") {
  Programs programs;
  Marks marks(programs.marks(), programs.translated());
  dpt_flow flow{};
  flow.family = 4;
  note_translated(&flow);
  const auto noted = [&] {
    return std::any_of(programs.translated().begin(), programs.translated().end(),
                       [](auto mark) { return mark != 0; });
  };
  marks.fade(kPeriod, kPeriod);
  CHECK(noted());
  SECTION("then no more") {
    marks.fade(2 * kPeriod, kPeriod);
    CHECK_FALSE(noted());
  }
  SECTION("or longer, when it is seen again") {
    note_translated(&flow);
    marks.fade(2 * kPeriod, kPeriod);
    CHECK(noted());
  }
}

TEST_CASE("whatever else is marked, forgotten and faded, what is marked stays so for its period") {
  Programs programs;
  Marks marks(programs.marks(), programs.translated());
  std::mt19937_64 random(11);
  std::set<std::uint64_t> ours;
  std::uint64_t now = kPeriod;
  for (int round = 0; round < 30; ++round) {
    // More than there are places: many meet.
    for (int i = 0; i < 4000; ++i) {
      const auto address = any_address(random);
      mark_skb(address, any_address(random));
      ours.insert(address);
      const auto others = any_address(random);
      if (!ours.contains(others)) unmark(others);
    }
    for (const auto address : ours) REQUIRE(is_marked(address, 0));
    marks.fade(now += kPeriod, kPeriod);
    for (const auto address : ours) REQUIRE(is_marked(address, 0));
    ours.clear();
  }
}

TEST_CASE("an address that has come to another packet is taken back, and no other with it") {
  Programs programs;
  std::mt19937_64 random(12);
  std::set<std::uint64_t> kept;
  for (int i = 0; i < 1000; ++i) kept.insert(any_address(random));
  for (const auto address : kept) mark_skb(address, address);
  std::set<std::uint64_t> taken_back;
  for (int i = 0; i < 1000; ++i) {
    const auto address = any_address(random);
    if (!kept.contains(address)) taken_back.insert(address);
  }
  for (const auto address : taken_back) mark_skb(address, address);
  for (const auto address : taken_back) unmark(address);
  for (const auto address : kept) REQUIRE(is_marked(address, address));
  const auto left = std::count_if(taken_back.begin(), taken_back.end(),
                                  [](auto address) { return is_marked(address, address); });
  CHECK(left < 100);  // where they met others
}

}  // namespace
}  // namespace dptrace
