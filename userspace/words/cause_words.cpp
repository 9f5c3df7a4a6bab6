#include "words/cause_words.hpp"

#include <algorithm>

#include "words/flow_words.hpp"
#include "words/invalid_rule.hpp"
#include "words/netns_command.hpp"
#include "words/owner_words.hpp"
#include "words/round_words.hpp"
#include "words/rule_cause.hpp"
#include "words/rule_fix.hpp"
#include "words/rule_words.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kIndent = 4, kTextIndent = 10;
constexpr std::string_view kUnknown = "unknown";
constexpr std::string_view kExpired = "ttl-expired";
constexpr std::string_view kDamaged = "bad-checksum";
// What the node's state tells of this cause is the cause only where a rule asked for it.
constexpr std::string_view kInvalid = "conntrack-invalid";
constexpr std::string_view kFix = "fix   ";

// The flow with which the packet died; that of its beginning where the drop has none.
const dpt_flow& flow_at(const Packet& packet, const Drop& drop) {
  const auto hop = std::find_if(packet.hops.begin(), packet.hops.end(), [&](const Hop& one) {
    return one.point == DPT_POINT_DROP && one.time_ns == drop.time_ns && one.flow.family != 0;
  });
  return hop == packet.hops.end() ? packet.flow() : hop->flow;
}

// The node behind a tunnel may be the one that computes checksums wrongly: by its tunnel's device.
std::optional<std::string> sender_behind_tunnel(const Packet& packet) {
  const auto hop = std::find_if(packet.hops.rbegin(), packet.hops.rend(), [](const Hop& one) {
    const bool is_receive =
        one.point == DPT_POINT_DEVICE_RECEIVE || one.point == DPT_POINT_TC_INGRESS;
    return is_receive && one.tunnel;
  });
  if (hop == packet.hops.rend()) return {};
  return fmt::format("it came in {} from {}", tunnel_word(hop->tunnel->kind),
                     Address(hop->tunnel->source).text());
}

std::string rule_sentence(const DecidingRule& rule, const Names& names) {
  Buffer tables;
  append_tables(tables, rule);
  const RuleText* text = names.rule(rule.id(rule.decided()));
  const std::string& chain = text == nullptr || text->chain.empty() ? rule.chain : text->chain;
  const std::string place = fmt::format("{} {}{}{}", fmt::to_string(tables), rule.table_name,
                                        chain.empty() ? "" : ", chain ", chain);
  if (rule.is_policy())
    return fmt::format("no rule of {} lets the packet pass, and its policy is to drop", place);
  return fmt::format("{} of {} drops the packet", rule.is_one_of() ? "one of the rules" : "a rule",
                     place);
}

Explanation by_rule(const Drop& drop, const dpt_flow& flow, const Names& names) {
  const DecidingRule& rule = *drop.rule;
  const RuleCause cause = rule_cause(rule, drop, flow);
  Explanation explanation;
  explanation.cause = cause.name;
  const auto owner = owner_of(rule, names);
  explanation.sentence = owner ? owner->words : rule_sentence(rule, names);
  if (!cause.effect.empty()) explanation.sentence += fmt::format(": {}", cause.effect);
  if (owner && !cause_of(*owner->row).empty()) explanation.cause = cause_of(*owner->row);
  const RuleText* text = names.rule(rule.id(rule.decided()));
  if (!rule.is_one_of() && text != nullptr && !text->changed && !text->text.empty())
    explanation.evidence.push_back(text->text);
  if (const auto fix = rule_fix(rule, flow, names)) explanation.fix.push_back(*fix);
  return explanation;
}

bool takes_invalid_only(const DecidingRule& rule, const Names& names) {
  const RuleText* text = names.rule(rule.id(rule.decided()));
  if (text == nullptr || text->changed || rule.is_one_of() || rule.is_policy()) return false;
  return is_of_invalid_only(rule, text->text);
}

// Of what a rule did, with what the node's state tells of it.
Explanation by_rule_and_state(const DecidingRule& rule, Explanation explanation,
                              const Explanation* known, const Names& names) {
  if (known == nullptr || known->cause != kInvalid || !takes_invalid_only(rule, names))
    return explanation;
  Explanation invalid = *known;
  if (invalid.fix.empty()) invalid.fix = std::move(explanation.fix);
  return invalid;
}

// Facts stand behind the sentence where they fit, else on lines of their own: on one if it holds
// them all.
void append_evidence(Buffer& out, std::size_t before, const std::vector<std::string>& facts) {
  if (facts.empty()) return;
  const std::string evidence = fmt::format("({})", fmt::join(facts, "; "));
  if (kTextIndent + before + 1 + evidence.size() <= kColumns) {
    append(out, " ");
    return append_name(out, evidence);
  }
  const bool is_one_line = kTextIndent + evidence.size() <= kColumns;
  const std::string separator = is_one_line ? "; " : fmt::format(";\n{:{}}", "", kTextIndent + 1);
  append(out, "\n");
  append_spaces(out, kTextIndent);
  append(out, "(");
  std::string_view between;
  for (const std::string& fact : facts) {
    append(out, between);
    append_name(out, fact);
    between = separator;
  }
  append(out, ")");
}

}  // namespace

std::optional<Explanation> explanation_of(const Packet& packet, const Drop& drop,
                                          const Names& names) {
  std::optional<Explanation> explanation;
  if (!drop.loss) return explanation;
  std::uint32_t netns = drop.interface.netns;
  const Explanation* known = names.explanation(drop.id());
  if (drop.rule) {
    explanation =
        by_rule_and_state(*drop.rule, by_rule(drop, flow_at(packet, drop), names), known, names);
    netns = drop.rule->netns;
  } else if (known != nullptr) {
    explanation =
        known->cause == kInvalid ? Explanation{std::string(kUnknown), {}, {}, {}} : *known;
    const auto fact = known->cause == kExpired   ? rounds_of(packet, names)
                      : known->cause == kDamaged ? sender_behind_tunnel(packet)
                                                 : std::nullopt;
    if (fact) explanation->evidence.push_back(*fact);
  }
  if (explanation && explanation->fix_netns != 0) netns = explanation->fix_netns;
  if (explanation) enter(explanation->fix, netns, drop.time_ns, names);
  return explanation;
}

bool is_command_line(std::string_view line) {
  constexpr std::size_t kColourCode = 8;  // at most so many bytes before the word
  const std::size_t at = line.find(kFix);
  return line.find_first_not_of(' ') == kIndent && at >= kIndent && at <= kIndent + kColourCode;
}

bool is_explained(const Drop& drop, const Names& names) {
  const Explanation* known = names.explanation(drop.id());
  return known != nullptr && known->cause != kUnknown && known->cause != kInvalid;
}

void append_cause(Buffer& out, const Packet& packet, const Drop& drop, const Names& names,
                  const Paint& paint) {
  auto explanation = explanation_of(packet, drop, names);
  if (!explanation) return;
  if (drop.rule && explanation->cause != kInvalid) {
    // The line `by` has the rule and its text already.
    explanation->sentence = rule_cause(*drop.rule, drop, flow_at(packet, drop)).effect;
    explanation->evidence.clear();
  }
  append_explanation(out, *explanation, paint);
}

void append_explanation(Buffer& out, const Explanation& explanation, const Paint& paint) {
  if (!explanation.sentence.empty()) {
    append_spaces(out, kIndent);
    paint.text(out, Style::kNote, "why   ");
    append_name(out, explanation.sentence);
    append_evidence(out, explanation.sentence.size(), explanation.evidence);
    out.push_back('\n');
  }
  for (const std::string& command : explanation.fix) {
    append_spaces(out, kIndent);
    paint.text(out, Style::kGood, kFix);
    append_name(out, command);
    out.push_back('\n');
  }
}

}  // namespace dptrace
