#include <catch2/catch.hpp>

#include "model/summary.hpp"
#include "support/sample_packets.hpp"

using namespace dptrace;
using namespace dptrace::sample;

TEST_CASE("a packet that lost segments for one reason counts once, by verdict and by reason") {
  const Packet packet = lost_segments({3, 4, 9});
  CHECK(lost_anything(packet));
  Summary summary;
  summary.count(packet, names());
  CHECK(summary.packets[static_cast<std::size_t>(Verdict::kDropped)] == 1);
  CHECK(summary.lost_copies == 0);
  CHECK(summary.drops == std::map<std::string, std::uint64_t>{{"NETFILTER_DROP", 1}});
  CHECK(summary.lost_anything());
}

TEST_CASE("a packet that died of two reasons counts under both") {
  Packet packet = lost_segments({3, 4});
  packet.drops[1].reason = 9;
  Summary summary;
  summary.count(packet, names());
  CHECK(summary.drops.size() == 2);
  CHECK(summary.total() == 1);
}

TEST_CASE("a delivered packet of which a receiver's copy died has lost something") {
  Packet packet = multicast_with_a_lost_copy();
  CHECK(lost_anything(packet));
  Summary summary;
  summary.count(packet, names());
  CHECK(summary.packets[static_cast<std::size_t>(Verdict::kDropped)] == 0);
  CHECK(summary.lost_copies == 1);
  CHECK(summary.drops.at("NETFILTER_DROP") == 1);
  CHECK(summary.lost_anything());
}

TEST_CASE("an end that is no loss is none for a copy either") {
  Packet packet = multicast_with_a_lost_copy();
  packet.drops[0].loss = false;
  CHECK_FALSE(lost_anything(packet));
  Summary summary;
  summary.count(packet, names());
  CHECK(summary.lost_copies == 0);
  CHECK(summary.drops.empty());
  CHECK_FALSE(summary.lost_anything());
}

TEST_CASE("what arrived has lost nothing") {
  Summary summary;
  for (const Packet& packet : {ping_across_nodes(), syn_to_service()}) {
    CHECK_FALSE(lost_anything(packet));
    summary.count(packet, names());
  }
  CHECK_FALSE(summary.lost_anything());
}
