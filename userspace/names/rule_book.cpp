#include "names/rule_book.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "os/clock.hpp"

namespace dptrace {

namespace {

// Packets wait for the text of a rule this long.
constexpr std::uint64_t kAwaitNs = 500'000'000;
constexpr std::chrono::milliseconds kLookAgain{2};
// A table that could not be read is not tried again before.
constexpr std::uint64_t kRetryNs = 1'000'000'000;
// A large table takes some MiB, so few are kept.
constexpr std::size_t kKept = 4;
constexpr std::size_t kReadings = 8;
constexpr std::size_t kVersions = 16;
// Whoever changes rules all the time gets no more room in the names.
constexpr std::size_t kMostNames = 20'000;

NamingTime::Clock::time_point time_of(std::uint64_t ns) {
  return NamingTime::Clock::time_point(std::chrono::nanoseconds(ns));
}

RuleBook::Table table_of(const dpt_rule& record, const DecidingRule& rule) {
  return {record.netns, record.ruleset, record.family, rule.table_name, record.table};
}

std::set<RuleId> ids_of(const DecidingRule& rule) {
  std::set<RuleId> ids;
  for (const auto number : rule.path) ids.insert(rule.id(number));
  if (!rule.path.empty() || rule.is_policy()) ids.insert(rule.id(rule.decided()));
  return ids;
}

}  // namespace

void RuleBook::see(const dpt_rule& record) {
  const DecidingRule rule = deciding_rule(record);
  Version version{rule.revision, ids_of(rule), record.event.time_ns};
  std::erase_if(version.wanted, [&](const RuleId& id) { return names_.rules.contains(id); });
  if (version.wanted.empty() || rule.revision == 0) return;
  const Table table = table_of(record, rule);
  if (const Rules* rules = known(table, rule.revision)) return take(version, *rules);
  const auto reading = std::find_if(readings_.begin(), readings_.end(),
                                    [&](const Reading& one) { return one.table == table; });
  if (reading == readings_.end()) return begin(table, std::move(version));
  auto& versions = reading->versions;
  const auto same = std::find_if(versions.begin(), versions.end(), [&](const Version& one) {
    return one.revision == version.revision;
  });
  if (same != versions.end()) {
    same->wanted.merge(version.wanted);
  } else if (versions.size() < kVersions) {
    versions.push_back(std::move(version));
  }
}

// In another netns than dptrace's own anybody may replace rules all the time, and have packets
// dropped by each version.
bool RuleBook::may_begin(const Table& table) {
  const std::uint64_t now = monotonic_ns();
  const auto failed = failed_.find(table);
  if (failed != failed_.end() && now < failed->second + kRetryNs) return false;
  if (readings_.size() >= kReadings) return false;
  return table.netns == names_.home_netns || time_.allows(table.netns, true, time_of(now));
}

void RuleBook::begin(const Table& table, Version version) {
  if (!may_begin(table)) return;
  const std::uint64_t now = monotonic_ns();
  const std::uint64_t in_force = revision_(table).value_or(0);
  auto inquiry = begin_(table);
  if (!inquiry) {
    if (failed_.size() >= kMostNames) failed_.clear();
    failed_[table] = now;
    return;
  }
  readings_.push_back({table, std::move(*inquiry), now, in_force, {std::move(version)}});
}

void RuleBook::collect() {
  time_.forget(time_of(monotonic_ns()));
  for (auto reading = readings_.begin(); reading != readings_.end();) {
    auto answer = reading->inquiry.within(std::chrono::milliseconds(0));
    if (!answer) {
      ++reading;
      continue;
    }
    const Reading done = std::move(*reading);
    reading = readings_.erase(reading);
    if (done.table.netns != names_.home_netns)
      time_.took(done.table.netns, true, time_of(done.begun_ns), time_of(monotonic_ns()));
    if (!*answer) {
      failed_[done.table] = monotonic_ns();
      continue;
    }
    failed_.erase(done.table);
    Rules& rules = **answer;
    // A table that was the same before and after is the one that was read.
    if (rules.revision == 0 && revision_(done.table).value_or(0) == done.revision)
      rules.revision = done.revision;
    for (const auto& version : done.versions) take(version, rules);
    if (rules.revision == 0) continue;
    read_.push_front({done.table, std::move(rules)});
    if (read_.size() > kKept) read_.pop_back();
  }
}

void RuleBook::finish() {
  while (awaited_since() != kLatest) {
    std::this_thread::sleep_for(kLookAgain);
    collect();
  }
}

void RuleBook::take(const Version& version, const Rules& rules) {
  if (names_.rules.size() > kMostNames) names_.rules.clear();
  for (const auto& id : version.wanted) {
    if (rules.revision == 0) continue;  // nobody knows which version this is
    if (rules.revision != version.revision) {
      names_.rules[id].changed = true;
      continue;
    }
    const auto text = rules.texts.find(id.number);
    if (text != rules.texts.end()) names_.rules[id] = text->second;
  }
}

const Rules* RuleBook::known(const Table& table, std::uint64_t revision) {
  const auto found = std::find_if(read_.begin(), read_.end(), [&](const Read& one) {
    return one.table == table && one.rules.revision == revision;
  });
  if (found == read_.end()) return nullptr;
  read_.splice(read_.begin(), read_, found);
  return &read_.front().rules;
}

std::uint64_t RuleBook::awaited_since() const {
  std::uint64_t since = kLatest;
  const std::uint64_t now = monotonic_ns();
  for (const auto& reading : readings_) {
    if (now >= reading.begun_ns + kAwaitNs) continue;
    for (const auto& version : reading.versions) since = std::min(since, version.since_ns);
  }
  return since;
}

Result<Rules> read_table(const RuleBook::Table& table) {
  switch (table.ruleset) {
    case DPT_RULESET_NFTABLES:
      return read_nftables(table.family, table.name);
    case DPT_RULESET_XTABLES:
      return read_xtables(table.family, table.name);
    default:
      return failure("a ruleset of an unknown kind");
  }
}

}  // namespace dptrace
