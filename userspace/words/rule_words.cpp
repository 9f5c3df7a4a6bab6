#include "words/rule_words.hpp"

#include <linux/netfilter.h>

#include <algorithm>

#include "words/hook_owner.hpp"
#include "words/netfilter_words.hpp"
#include "words/owner_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kTextIndent = 10;

// `chain svc, rule 4`, `chain svc, rule handle 6`, `policy of chain FORWARD`.
void append_place(Buffer& out, const DecidingRule& rule, std::uint64_t number, const Names& names) {
  const RuleText* text = names.rule(rule.id(number));
  const std::string& chain = text == nullptr || text->chain.empty() ? rule.chain : text->chain;
  if (rule.is_policy()) {
    append(out, "policy of chain ");
    append_name(out, chain.empty() ? "(not known)" : chain);
    return;
  }
  if (!chain.empty()) {
    append(out, "chain ");
    append_name(out, chain);
    append(out, ", ");
  }
  if (rule.ruleset == DPT_RULESET_NFTABLES) {
    fmt::format_to(fmt::appender(out), "rule handle {}", number);
  } else if (text != nullptr && text->number != 0) {
    fmt::format_to(fmt::appender(out), "rule {}", text->number);
  } else {
    fmt::format_to(fmt::appender(out), "the table's rule {}, all chains counted", number + 1);
  }
}

void append_text(Buffer& out, const DecidingRule& rule, std::uint64_t number, const Names& names) {
  const RuleText* text = names.rule(rule.id(number));
  if (text == nullptr || (text->text.empty() && !text->changed)) return;
  append_spaces(out, kTextIndent);
  if (text->changed) {
    append(out, "what it said is not known: the rules were changed since\n");
    return;
  }
  append_name(out, text->text);
  out.push_back('\n');
}

void append_owner(Buffer& out, const DecidingRule& rule, const Names& names) {
  const auto match = owner_of(rule, names);
  if (!match) return;
  append_spaces(out, kTextIndent);
  append(out, "→ ");
  append_name(out, match->words);
  out.push_back('\n');
}

void append_way(Buffer& out, const DecidingRule& rule, const Names& names, const Paint& paint) {
  const auto way = way_to(rule, names);
  if (way.size() < 2) return;
  append_spaces(out, 4);
  paint.text(out, Style::kDim, "path  ");
  for (const std::uint64_t number : way) {
    const RuleText* text = names.rule(rule.id(number));
    if (number != way.front()) append(out, " → ");
    append_name(out, text == nullptr || text->chain.empty() ? "(not known)" : text->chain);
    const bool by_handle = rule.ruleset == DPT_RULESET_NFTABLES;
    if (by_handle || text->number != 0)
      fmt::format_to(fmt::appender(out), " {}", by_handle ? number : text->number);
  }
  out.push_back('\n');
}

}  // namespace

void append_tables(Buffer& out, const DecidingRule& rule) {
  switch (rule.ruleset) {
    case DPT_RULESET_XTABLES:
      return append(out, rule.family == NFPROTO_IPV6 ? "ip6tables" : "iptables");
    case DPT_RULESET_EBTABLES:
      return append(out, "ebtables");
    default:
      append(out, "nftables ");
      append(out, nft_family(rule.family));
  }
}

std::vector<std::uint64_t> way_to(const DecidingRule& rule, const Names& names) {
  std::vector<std::uint64_t> way;
  // The kernel's side has followed the jumps of nftables.
  if (rule.ruleset == DPT_RULESET_NFTABLES) return rule.path_is_whole ? rule.path : way;
  if (rule.is_one_of() || names.rule(rule.id(rule.decided())) == nullptr) return way;
  way.push_back(rule.decided());
  // Each rule is on the way once at most, so the search ends.
  while (way.size() <= rule.path.size()) {
    const std::string& chain = names.rule(rule.id(way.back()))->chain;
    const auto jumps_here = [&](std::uint64_t number) {
      const RuleText* text = names.rule(rule.id(number));
      return text != nullptr && !chain.empty() && text->jump == chain &&
             std::find(way.begin(), way.end(), number) == way.end();
    };
    const auto jump = std::find_if(rule.path.rbegin(), rule.path.rend(), jumps_here);
    if (jump == rule.path.rend()) break;
    way.push_back(*jump);
  }
  std::reverse(way.begin(), way.end());
  return way;
}

void append_rule(Buffer& out, const DecidingRule& rule, const Names& names, const Paint& paint) {
  append_spaces(out, 4);
  paint.text(out, Style::kBad, rule.is_one_of() ? "by one of  " : "by    ");
  append_tables(out, rule);
  out.push_back(' ');
  append_name(out, rule.table_name);
  const auto tell = [&](std::uint64_t number) {
    append(out, ", ");
    append_place(out, rule, number, names);
    out.push_back('\n');
    append_text(out, rule, number, names);
  };
  if (!rule.is_one_of()) {
    tell(rule.decided());
    append_owner(out, rule, names);
    return append_way(out, rule, names, paint);
  }
  for (const std::uint64_t number : rule.path) {
    if (number != rule.path.front()) append_spaces(out, kTextIndent);
    tell(number);
  }
}

void append_hook_owner(Buffer& out, std::string_view function, const Paint& paint) {
  const HookOwner* owner = hook_owner(function);
  if (owner == nullptr) return;
  append_spaces(out, 4);
  paint.text(out, Style::kBad, "by    ");
  append(out, owner->words);
  append(out, " (");
  append_name(out, function);
  append(out, owner->runs_rules ? "), which one is not known\n" : ")\n");
}

}  // namespace dptrace
