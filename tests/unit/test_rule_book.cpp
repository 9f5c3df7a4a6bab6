#include <catch2/catch.hpp>
#include <map>
#include <thread>

#include "names/rule_book.hpp"
#include "os/clock.hpp"

using namespace dptrace;

namespace {

constexpr std::uint64_t kTable = 0xffff888100000100;
constexpr std::uint64_t kRevision = 0xffff888100000200;

dpt_rule dropped_by(std::uint64_t number, std::uint64_t revision = kRevision) {
  dpt_rule rule{};
  rule.event = {DPT_EVENT_RULE, sizeof rule, 0, monotonic_ns()};
  rule.ruleset = DPT_RULESET_XTABLES;
  rule.family = 2;
  rule.netns = 1;
  rule.table = kTable;
  rule.revision = revision;
  rule.table_name[0] = 'f';
  rule.path_length = 1;
  rule.path[0] = number;
  return rule;
}

RuleId id_of(std::uint64_t number, std::uint64_t revision = kRevision) {
  return {1, DPT_RULESET_XTABLES, kTable, revision, number};
}

// A ruleset of three rules, of which the test says what version of it is read, and when.
class Ruleset {
 public:
  explicit Ruleset(std::uint64_t revision) {
    rules_.revision = revision;
    for (std::uint64_t i = 0; i < 3; ++i)
      rules_.texts[i] = {"FORWARD", static_cast<std::uint32_t>(i + 1), "-j DROP", "", false};
  }

  RuleBook::Begin reader() {
    return [this](const RuleBook::Table&) {
      ++readings;
      return Inquiry<Result<Rules>>::begin([rules = rules_, gate = gate_] {
        const std::scoped_lock wait(*gate);
        return Result<Rules>(rules);
      });
    };
  }

  std::unique_lock<std::mutex> hold() { return std::unique_lock(*gate_); }

  int readings = 0;

 private:
  Rules rules_;
  std::shared_ptr<std::mutex> gate_ = std::make_shared<std::mutex>();
};

}  // namespace

TEST_CASE("a table is read once, for all drops by its rules") {
  Names names;
  Ruleset ruleset(kRevision);
  RuleBook book(names, ruleset.reader());
  book.see(dropped_by(0));
  book.finish();
  book.see(dropped_by(0));
  book.see(dropped_by(2));
  CHECK(ruleset.readings == 1);
  REQUIRE(names.rule(id_of(2)) != nullptr);
  CHECK(names.rule(id_of(0))->number == 1);
  CHECK(names.rule(id_of(2))->text == "-j DROP");
  CHECK(names.rule(id_of(1)) == nullptr);
}

TEST_CASE("packets wait for the text that is being read, and only for that") {
  Names names;
  Ruleset ruleset(kRevision);
  RuleBook book(names, ruleset.reader());
  CHECK(book.awaited_since() == kLatest);
  const auto first = dropped_by(0);
  {
    const auto held = ruleset.hold();
    book.see(first);
    book.see(dropped_by(1));
    book.collect();
    CHECK(book.awaited_since() == first.event.time_ns);
    CHECK(names.rules.empty());
  }
  book.finish();
  CHECK(book.awaited_since() == kLatest);
  CHECK(names.rules.size() == 2);
}

TEST_CASE("the text of another version is never that of the rule") {
  Names names;
  Ruleset ruleset(kRevision + 1);
  RuleBook book(names, ruleset.reader());
  book.see(dropped_by(0));
  book.see(dropped_by(1, kRevision + 1));
  book.finish();
  REQUIRE(names.rule(id_of(0)) != nullptr);
  CHECK(names.rule(id_of(0))->changed);
  CHECK(names.rule(id_of(0))->text.empty());
  CHECK(names.rule(id_of(1, kRevision + 1))->text == "-j DROP");
}

TEST_CASE("a table whose reader tells no version is known by the one in force before and after") {
  Names names;
  Ruleset ruleset(0);
  RuleBook book(names, ruleset.reader());
  std::uint64_t in_force = kRevision;
  book.on_revision([&](const RuleBook::Table& table) {
    CHECK(table.address == kTable);
    return in_force;
  });
  book.see(dropped_by(0));
  book.finish();
  REQUIRE(names.rule(id_of(0)) != nullptr);
  CHECK(names.rule(id_of(0))->text == "-j DROP");
  {
    const auto held = ruleset.hold();
    in_force = kRevision + 1;
    book.see(dropped_by(1, kRevision + 1));
    in_force = kRevision + 2;
  }
  book.finish();
  CHECK(names.rule(id_of(1, kRevision + 1)) == nullptr);
  book.see(dropped_by(1, kRevision + 1));
  book.finish();
  REQUIRE(names.rule(id_of(1, kRevision + 1)) != nullptr);
  CHECK(names.rule(id_of(1, kRevision + 1))->changed);
}

TEST_CASE("where nobody knows which version was read, nothing is said of it") {
  Names names;
  Ruleset ruleset(0);
  RuleBook book(names, ruleset.reader());
  book.see(dropped_by(0));
  book.finish();
  CHECK(names.rules.empty());
}

TEST_CASE("a table that cannot be read is not asked for again at once") {
  Names names;
  int readings = 0;
  RuleBook book(names, [&](const RuleBook::Table&) -> Result<Inquiry<Result<Rules>>> {
    ++readings;
    return failure("it is gone");
  });
  book.see(dropped_by(0));
  book.see(dropped_by(1));
  CHECK(readings == 1);
  CHECK(book.awaited_since() == kLatest);
}

TEST_CASE("who replaces rules all the time in a netns of its own is not asked all the time") {
  const auto readings = [](std::uint32_t home) {
    Names names;
    names.home_netns = home;
    Ruleset ruleset(kRevision);
    RuleBook book(names, ruleset.reader());
    {
      const auto held = ruleset.hold();
      book.see(dropped_by(0, kRevision));
      std::this_thread::sleep_for(2 * NamingTime::kLittle);
    }
    book.finish();
    book.see(dropped_by(0, kRevision + 1));
    book.finish();
    return ruleset.readings;
  };
  CHECK(readings(2) == 1);
  CHECK(readings(1) == 2);
}
