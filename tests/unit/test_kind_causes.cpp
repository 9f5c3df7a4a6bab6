#include <catch2/catch.hpp>

#include "drops/kind_causes.hpp"
#include "os/clock.hpp"

using namespace dptrace;

namespace {

constexpr std::uint64_t kIpError = 0xffffffff81000010;
constexpr std::uint32_t kNoRoutes = 70;
constexpr std::uint64_t kKind = 77;

// A node that answers at once, by the last byte of the destination.
class Node {
 public:
  using Answers = Result<Explainer::Answers>;

  Node() {
    names.home_netns = 1;
    names.symbols[kIpError] = {"ip_error", kIpError - 0x10};
    names.reasons[kNoRoutes] = "IP_INNOROUTES";
  }

  void see(std::uint64_t offset_ns = 0, std::uint8_t last_byte = 1, std::uint64_t kind = kKind) {
    dpt_drop drop{};
    drop.hop.event = {DPT_EVENT_DROP, sizeof drop, 0, start + offset_ns};
    drop.hop.key = kind;
    drop.hop.netns = 1;
    drop.hop.ifindex = 4;
    drop.hop.flow.family = 4;
    drop.hop.flow.destination = Address::parse("10.9.9.9")->bytes;
    drop.hop.flow.destination.bytes[15] = last_byte;
    drop.hop.flow.ttl = 63;
    drop.location = kIpError;
    drop.reason = kNoRoutes;
    drop.has_reason = 1;
    causes.see(drop);
  }

  DropRow row(std::uint64_t offset_ns = 0) {
    causes.finish();
    DropRow row;
    row.id = kKind;
    row.interval = {1, 100};
    row.last_ns = start + offset_ns;
    causes.explain(row);
    return row;
  }
  std::string cause(std::uint64_t offset_ns = 0) { return row(offset_ns).explanation->cause; }

  Names names;
  const std::uint64_t start = monotonic_ns();
  std::size_t questions = 0;
  bool refuses = false;
  std::string barred = "no-route";  ///< the cause of drops to 10.9.9.66
  KindCauses causes{names, [this](std::uint32_t, Explainer::Questions asked) {
                      return answer(std::move(asked));
                    }};

 private:
  Result<Inquiry<Answers>> answer(Explainer::Questions asked) {
    if (refuses) return failure("no");
    questions += asked.size();
    Explainer::Answers answers;
    for (const DropFacts& facts : asked) {
      const std::string destination = facts.destination.text();
      answers.explanations.push_back({destination == "10.9.9.66" ? barred : "no-route",
                                      "no route leads to " + destination,
                                      {"a fact"},
                                      {}});
    }
    return Inquiry<Answers>::begin([answers = std::move(answers)]() -> Answers { return answers; });
  }
};

}  // namespace

TEST_CASE("ten thousand samples of a kind are one question") {
  Node node;
  for (std::uint64_t i = 0; i < 10'000; ++i) node.see(i);
  CHECK(node.cause() == "no-route");
  CHECK(node.questions == 1);
  // Nothing stays behind but the answer.
  CHECK(node.names.explanations.empty());
}

TEST_CASE("a kind that goes on dying is asked about again, but not soon") {
  Node node;
  node.see();
  CHECK(node.cause() == "no-route");
  node.see(KindCauses::kAgainNs - 1);
  CHECK(node.cause() == "no-route");
  CHECK(node.questions == 1);
  node.see(KindCauses::kAgainNs);
  CHECK(node.cause() == "no-route");
  CHECK(node.questions == 2);
}

TEST_CASE("of samples that ask different things a few are asked about") {
  Node node;
  for (std::uint8_t i = 1; i < 60; ++i) node.see(i, i);
  const DropRow row = node.row();
  CHECK(row.explanation->sentence == "no route leads to 10.9.9.4");
  CHECK(node.questions == KindCauses::kQuestions);
  node.see(KindCauses::kAgainNs + 60, 60);
  CHECK(node.row().explanation->sentence == "no route leads to 10.9.9.60");
}

TEST_CASE("samples that died for different causes leave the cause of their kind unknown") {
  Node node;
  node.barred = GENERATE("unknown", "route-blackhole");
  node.see(0, 1);
  node.see(1, 66);
  CHECK(node.cause() == "unknown");
  CHECK(node.row().explanation->sentence.empty());
}

TEST_CASE("what was not answered is unknown, and asked again") {
  Node node;
  node.refuses = true;
  node.see();
  CHECK(node.causes.awaits(node.start));
  CHECK(node.cause() == "unknown");
  CHECK_FALSE(node.causes.awaits(node.start));
  node.refuses = false;
  node.see(1);
  CHECK(node.questions == 0);  // it may be answered yet
}

TEST_CASE("an old answer says nothing of new packets, and still something of old ones") {
  Node node;
  node.see();
  CHECK(node.cause() == "no-route");
  CHECK(node.cause(KindCauses::kKeepNs) == "unknown");
  DropRow row = node.row();
  row.id = 1234;
  row.interval = {};
  node.causes.explain(row);
  CHECK(row.explanation->cause == "no-route");
}

TEST_CASE("kinds that are counted in one row have one cause") {
  Node node;
  node.barred = "route-blackhole";
  node.see(0, 1);
  node.see(1, 66, kKind + 1);
  DropRow row = node.row();
  CHECK(row.explanation->cause == "no-route");
  row.more_ids = {kKind + 1};
  node.causes.explain(row);
  CHECK(row.explanation->cause == "unknown");
}

TEST_CASE("there is an end to the kinds that are asked about") {
  Node node;
  for (std::uint64_t kind = 0; kind < 2 * KindCauses::kKinds; ++kind) node.see(kind, 1, kind);
  node.causes.finish();
  DropRow row;
  row.id = 2 * KindCauses::kKinds - 1;
  node.causes.explain(row);
  CHECK(row.explanation->cause == "unknown");
  CHECK(node.names.explanations.empty());
}
