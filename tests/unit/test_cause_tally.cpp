#include <catch2/catch.hpp>

#include "output/cause_tally.hpp"
#include "support/sample_packets.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

const Paint kPlain(false);

Names explained(const Packet& packet, const Explanation& explanation) {
  Names with = names();
  const auto shared = std::make_shared<const Explanation>(explanation);
  if (packet.drop) with.explanations[packet.drop->id()] = shared;
  for (const Drop& drop : packet.drops) with.explanations[drop.id()] = shared;
  return with;
}

std::string text_of(const CauseTally& tally) {
  Buffer out;
  tally.append_to(out, kPlain);
  return std::string(view(out));
}

}  // namespace

TEST_CASE("the causes of a trace stand by their number, the most frequent first") {
  CauseTally tally;
  const Packet packet = lost_segments({3, 4});
  tally.count(packet, explained(packet, {"ttl-expired", "its TTL is used up", {}, {}}));
  const Names twice =
      explained(packet, {"forwarding-disabled", "cni0 does not forward", {}, {"sysctl -w x=1"}});
  tally.count(packet, twice);
  tally.count(packet, twice);
  CHECK(text_of(tally) ==
        "why\n"
        "         2  forwarding-disabled: cni0 does not forward\n"
        "            fix   sysctl -w x=1\n"
        "         1  ttl-expired: its TTL is used up\n");
}

TEST_CASE("without a proved cause nothing stands there") {
  CauseTally tally;
  const Packet packet = lost_segments({3, 4});
  tally.count(packet, explained(packet, {"unknown", "", {}, {}}));
  tally.count(packet, names());
  CHECK(text_of(tally).empty());
}

TEST_CASE("a packet counts once, whether it died as a whole or in parts") {
  for (const Packet& packet : {lost_segments({3}), lost_segments({3, 4})}) {
    CauseTally tally;
    tally.count(packet, explained(packet, {"ttl-expired", "its TTL is used up", {}, {}}));
    CHECK(text_of(tally) == "why\n         1  ttl-expired: its TTL is used up\n");
  }
}

TEST_CASE("of many causes the worst are told, and how many packets the others had") {
  CauseTally tally;
  const Packet packet = lost_segments({3, 4});
  for (int cause = 0; cause < 1010; ++cause)
    tally.count(packet, explained(packet, {"no-listener", std::to_string(cause), {}, {}}));
  const std::string text = text_of(tally);
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);
  CHECK(text.ends_with("      1005  for other causes\n"));
}

TEST_CASE("a packet that nothing dropped counts under what its end is inferred from") {
  CauseTally tally;
  Packet packet = syn_to_service();
  packet.verdict = Verdict::kUnfinished;
  packet.unanswered = true;
  tally.count(packet, names());
  CHECK(text_of(tally).empty());
  packet.full_listener = ListenQueue{1, 0, 4096};
  tally.count(packet, names());
  tally.count(packet, names());
  CHECK(text_of(tally).starts_with("why\n         2  listen-queue-full: the listener's queue "));
}
