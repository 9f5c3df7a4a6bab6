// RuleBook finds what the rules say that drop packets: it reads the ruleset, in the background and
// once for each version of it, and never takes the text of one version for that of another.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "model/names.hpp"
#include "names/naming_time.hpp"
#include "node/in_netns.hpp"
#include "node/rules/rules.hpp"

namespace dptrace {

class RuleBook {
 public:
  /// A table of a ruleset of a netns. `address` is dpt_rule::table.
  struct Table {
    std::uint32_t netns = 0;
    std::uint8_t ruleset = 0;
    std::uint8_t family = 0;
    std::string name;
    std::uint64_t address = 0;

    friend auto operator<=>(const Table&, const Table&) = default;
  };
  /// Begins to read a table in its netns. The answer has .revision 0 when the reader cannot tell
  /// which version it has read.
  using Begin = std::function<Result<Inquiry<Result<Rules>>>(const Table& table)>;
  /// The version of an xtables table that is in force, as dpt_rule::revision; nothing: not known.
  using Revision = std::function<std::optional<std::uint64_t>(const Table& table)>;

  RuleBook(Names& names, Begin begin) : names_(names), begin_(std::move(begin)) {}
  /// Until it is given one, the book knows no version that a reader does not tell.
  void on_revision(Revision revision) { revision_ = std::move(revision); }

  /// Asks for what the record's rules say, where it is not known.
  void see(const dpt_rule& record);
  /// Puts into the names what has been read meanwhile.
  void collect();
  /// Does what collect() does, and waits for what is being read as long as packets do.
  void finish();
  /// The time (CLOCK_MONOTONIC) of the oldest drop whose rule is being read; packets that end from
  /// then on are better told later. kLatest: none is being read, or it takes too long.
  std::uint64_t awaited_since() const;

 private:
  struct Version {
    std::uint64_t revision = 0;
    std::set<RuleId> wanted;
    std::uint64_t since_ns = 0;  ///< time of the first drop by it
  };
  struct Reading {
    Table table;
    Inquiry<Result<Rules>> inquiry;
    std::uint64_t begun_ns = 0;
    std::uint64_t revision = 0;     ///< that was in force at the beginning; 0: not known
    std::vector<Version> versions;  ///< for which it is hoped to have the text
  };
  struct Read {
    Table table;
    Rules rules;
  };

  void begin(const Table& table, Version version);
  void take(const Version& version, const Rules& rules);
  const Rules* known(const Table& table, std::uint64_t revision);

  bool may_begin(const Table& table);

  Names& names_;
  const Begin begin_;
  Revision revision_ = [](const Table&) { return std::nullopt; };
  std::list<Reading> readings_;
  std::list<Read> read_;  ///< the tables that were read, the one that was used last in front
  NamingTime time_;       ///< of readings in other netns than dptrace's own
  std::map<Table, std::uint64_t> failed_;  ///< when a table could not be read (CLOCK_MONOTONIC, ns)
};

/// Reads the table in the netns that the calling thread is in.
Result<Rules> read_table(const RuleBook::Table& table);

}  // namespace dptrace
