#include "support/printed.hpp"
#include "words/inference_words.hpp"

using namespace dptrace;
using namespace dptrace::sample;

namespace {

Packet unanswered(std::string_view server, const ListenQueue& queue) {
  Packet packet = Builder(tcp("10.244.1.2", 40112, server, 8080, 0x02, 1234567890, 0))
                      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                      .hop(4000, DPT_POINT_SOCKET, kCni0)
                      .end(Verdict::kUnfinished);
  packet.unanswered = true;
  packet.full_listener = queue;
  return packet;
}

}  // namespace

TEST_CASE("a request that its full listener has not answered says why, and what was read") {
  const Packet packet = unanswered("10.244.1.3", {129, 128, 4096});
  CHECK(contains(
      end_of(packet),
      "    why   the listener's queue of connections is full: its program accepts none, or too "
      "slowly\n"
      "          (TCP listener 10.244.1.3:8080: 129 connections wait to be accepted, its backlog "
      "is "
      "128)\n"));
  CollectingSink sink;
  make_json_output(sink, {})->packet(packet, names());
  CHECK(contains(sink.text, R"("inference":{"cause":"listen-queue-full","explanation":"the )"));
  CHECK(contains(sink.text, R"("evidence":["TCP listener 10.244.1.3:8080: 129 connections )"));
  CHECK_FALSE(contains(sink.text, "fix"));
}

TEST_CASE("somaxconn is told where it allows no longer queue") {
  const auto facts = [](const ListenQueue& queue) {
    return inference_of(unanswered("10.244.1.3", queue), names())->evidence;
  };
  CHECK(facts({1, 0, 4096}) ==
        std::vector<std::string>{"TCP listener 10.244.1.3:8080: 1 connection "
                                 "waits to be accepted, its backlog is 0"});
  REQUIRE(facts({129, 128, 128}).size() == 2);
  CHECK(facts({129, 128, 128})[1] == "net.core.somaxconn = 128, which allows no more");
}

TEST_CASE("what is answered, dropped or not wholly seen is told nothing more of") {
  Packet packet = unanswered("10.244.1.3", {129, 128, 4096});
  REQUIRE(inference_of(packet, names()));
  SECTION("answered") { packet.unanswered = false; }
  SECTION("dropped") { packet.drop = Drop{}; }
  SECTION("its answer may have been lost") { packet.incomplete = Incomplete::kEventsLost; }
  SECTION("its queue is not known") { packet.full_listener.reset(); }
  CHECK_FALSE(inference_of(packet, names()));
}

TEST_CASE(
    "a packet that has left in vain is told what the node said of that, and that nobody answered") {
  Names all = names();
  Packet packet = Builder(tcp("10.244.1.2", 40112, "203.0.113.9", 80, 0x02, 1234567890, 0))
                      .hop(0, DPT_POINT_TC_INGRESS, kVeth)
                      .hop(4000, DPT_POINT_DEVICE_TRANSMIT, kUplink)
                      .end(Verdict::kLeftNode);
  const Hop& left = packet.hops.back();
  all.explanations[{left.time_ns, left.interface.netns, left.interface.index}] =
      std::make_shared<Explanation>(
          Explanation{"not-masqueraded", "likely lost", {"source 10.244.1.2"}, {}});
  CHECK_FALSE(inference_of(packet, all));
  packet.unanswered = true;
  CHECK_FALSE(inference_of(packet, names()));
  CHECK(contains(end_of(packet, all),
                 "    why   likely lost (source 10.244.1.2; nothing came back within a second)\n"));
}
