#include "words/owner_words.hpp"

#include <linux/netfilter.h>

#include <algorithm>

namespace dptrace {

namespace {

// Calico's own table of nftables has those of iptables as the first part of its chains' names.
constexpr std::string_view kCalicoChain = "-cali-";
// Calico's comment of nftables has two in one: `cali:7aC3vGpxk9Zt1nQe; Drop if no profiles
// matched`.
constexpr std::string_view kCalicoHash = "cali:";
constexpr std::string_view kAfterHash = "; ";

// What is known of a rule.
struct Known {
  const DecidingRule& rule;
  std::string chain;
  RuleParts parts;
  std::vector<std::string> chains_before;
};

struct Word {
  std::string text;
  bool is_quoted = false;
};

// Takes the next word off the text. The quotes are taken off a quoted one, and the backslashes too
// that iptables-save puts before quotes and backslashes in it; nft puts none.
Word next_word(std::string_view& text, bool is_saved) {
  Word word;
  bool quoted = false;
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  while (!text.empty() && (quoted || text.front() != ' ')) {
    if (text.front() == '"') {
      quoted = !quoted;
      word.is_quoted = true;
    } else {
      if (quoted && is_saved && text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
      word.text.push_back(text.front());
    }
    text.remove_prefix(1);
  }
  return word;
}

void add_comment(std::vector<std::string>& comments, const std::string& comment) {
  const auto end = comment.find(kAfterHash);
  if (!comment.starts_with(kCalicoHash) || end == comment.npos) return comments.push_back(comment);
  comments.push_back(comment.substr(0, end));
  comments.push_back(comment.substr(end + kAfterHash.size()));
}

// Adds what each `*` stands for, the least text that fits.
bool fits(std::string_view pattern, std::string_view text, std::vector<std::string>& stars) {
  const auto first = std::min(pattern.find('*'), pattern.size());
  if (!text.starts_with(pattern.substr(0, first))) return false;
  text.remove_prefix(first);
  pattern.remove_prefix(first);
  while (!pattern.empty()) {
    pattern.remove_prefix(1);
    const auto literal = pattern.substr(0, pattern.find('*'));
    const bool is_last = literal.size() == pattern.size();
    if (is_last && !text.ends_with(literal)) return false;
    const auto at = is_last ? text.size() - literal.size() : text.find(literal);
    if (at == text.npos || text.substr(0, at).find(' ') != text.npos) return false;
    stars.emplace_back(text.substr(0, at));
    text.remove_prefix(at + literal.size());
    pattern.remove_prefix(literal.size());
  }
  return text.empty();
}

bool any_fits(std::string_view pattern, const std::vector<std::string>& texts,
              std::vector<std::string>& stars) {
  return std::any_of(texts.begin(), texts.end(), [&](const std::string& text) {
    const auto before = stars.size();
    if (fits(pattern, text, stars)) return true;
    stars.resize(before);
    return false;
  });
}

bool is_iptables(const DecidingRule& rule) {
  const bool has_ip_family = rule.family == NFPROTO_IPV4 || rule.family == NFPROTO_IPV6;
  return rule.ruleset == DPT_RULESET_XTABLES ||
         (rule.ruleset == DPT_RULESET_NFTABLES && has_ip_family);
}

bool is_verdict(const DecidingRule& rule, OwnerVerdict verdict) {
  const bool is_rejected = (rule.flags & DPT_RULE_REJECTED) != 0;
  return verdict == OwnerVerdict::kEither || is_rejected == (verdict == OwnerVerdict::kRejected);
}

bool is_in_tables_of(const Owner& owner, const Known& known) {
  std::vector<std::string> stars;
  const bool is_of_tool = owner.tool == OwnerTool::kNftables
                              ? known.rule.ruleset == DPT_RULESET_NFTABLES
                              : is_iptables(known.rule);
  return is_of_tool && fits(owner.table, known.rule.table_name, stars) &&
         (owner.mark.empty() || any_fits(owner.mark, known.parts.comments, stars));
}

bool row_fits(const OwnerRow& row, const Known& known, std::vector<std::string>& stars) {
  std::vector<std::string> unused;
  const bool is_saved = known.rule.ruleset == DPT_RULESET_XTABLES;
  return row.is_policy == known.rule.is_policy() && is_verdict(known.rule, row.verdict) &&
         fits(row.chain, known.chain, stars) &&
         (row.comment.empty() || any_fits(row.comment, known.parts.comments, stars)) &&
         known.parts.plain.find(is_saved ? row.text.saved : row.text.listed) != std::string::npos &&
         (row.after.empty() || any_fits(row.after, known.chains_before, unused));
}

// The chain without the first part that Calico gives it in a table of its own.
std::string chain_of(const DecidingRule& rule, const std::string& chain) {
  const auto at = chain.find(kCalicoChain);
  const bool is_calicos = rule.ruleset == DPT_RULESET_NFTABLES && rule.table_name == "calico";
  return is_calicos && at != chain.npos ? chain.substr(at + 1) : chain;
}

Known known_of(const DecidingRule& rule, const Names& names) {
  Known known{rule, {}, {}, {}};
  const RuleText* text = names.rule(rule.id(rule.decided()));
  // The kernel's side cuts long names off.
  if (rule.chain.size() < DPT_RULE_NAME - 1) known.chain = rule.chain;
  if (text != nullptr) {
    if (!text->chain.empty()) known.chain = text->chain;
    known.parts = parts_of(text->text, rule.ruleset == DPT_RULESET_XTABLES);
  }
  known.chain = chain_of(rule, known.chain);
  for (const std::uint64_t number : rule.path) {
    const RuleText* before = names.rule(rule.id(number));
    if (before != nullptr && !before->jump.empty()) known.chains_before.push_back(before->jump);
  }
  return known;
}

// A name that is not there leaves no sentence.
std::optional<std::string> filled(std::string_view sentence,
                                  const std::vector<std::string>& stars) {
  std::string words;
  for (std::size_t i = 0; i < sentence.size(); ++i) {
    if (sentence[i] != '$') {
      words.push_back(sentence[i]);
      continue;
    }
    const auto star = static_cast<std::size_t>(sentence[++i] - '1');
    if (stars[star].empty()) return std::nullopt;
    words += stars[star];
  }
  return words;
}

}  // namespace

RuleParts parts_of(std::string_view text, bool is_saved) {
  RuleParts parts;
  bool is_comment = false;
  while (!text.empty()) {
    const Word word = next_word(text, is_saved);
    if (is_comment) {
      add_comment(parts.comments, word.text);
    } else if (!word.is_quoted) {
      parts.plain += parts.plain.empty() ? word.text : ' ' + word.text;
    }
    is_comment =
        !is_comment && !word.is_quoted && word.text == (is_saved ? "--comment" : "comment");
  }
  return parts;
}

std::optional<OwnerMatch> owner_of(const DecidingRule& rule, const Names& names) {
  if (rule.is_one_of()) return std::nullopt;
  const Known known = known_of(rule, names);
  for (const Owner& owner : owners()) {
    if (!is_in_tables_of(owner, known)) continue;
    for (const OwnerRow& row : owner.rows) {
      std::vector<std::string> stars;
      if (!row_fits(row, known, stars)) continue;
      const auto sentence = filled(row.sentence, stars);
      if (sentence) return OwnerMatch{&owner, &row, std::string(owner.name) + ": " + *sentence};
    }
  }
  return std::nullopt;
}

}  // namespace dptrace
