#include "model/rule.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "model/foreign.hpp"

namespace dptrace {

namespace {

std::string name_of(const char (&name)[DPT_RULE_NAME]) {
  return clean_name(std::string_view(name, strnlen(name, sizeof name)));
}

}  // namespace

DecidingRule deciding_rule(const dpt_rule& wire) {
  DecidingRule rule;
  rule.netns = wire.netns;
  rule.ruleset = wire.ruleset;
  rule.family = wire.family;
  rule.hook = wire.hook;
  rule.flags = wire.flags;
  rule.table = wire.table;
  rule.revision = wire.revision;
  rule.chain_handle = wire.chain;
  rule.table_name = name_of(wire.table_name);
  rule.chain = name_of(wire.chain_name);
  const auto length = std::min<std::size_t>(wire.path_length, DPT_RULE_PATH);
  rule.path.assign(wire.path, wire.path + length);
  rule.path_is_whole = wire.path_is_whole != 0;
  return rule;
}

}  // namespace dptrace
