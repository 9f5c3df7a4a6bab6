#include "words/invalid_rule.hpp"

#include <linux/netfilter.h>

#include <algorithm>
#include <string>
#include <vector>

#include "words/owner_words.hpp"
#include "words/rule_fix.hpp"

namespace dptrace {

namespace {

bool is_behind_conntrack(const DecidingRule& rule) {
  const bool is_of_ip =
      rule.family == NFPROTO_INET || rule.family == NFPROTO_IPV4 || rule.family == NFPROTO_IPV6;
  if (!is_of_ip) return false;
  if (rule.ruleset == DPT_RULESET_XTABLES) return rule.table_name != "raw";
  // At the other hooks a chain of nftables may stand before conntrack or behind it.
  return rule.ruleset == DPT_RULESET_NFTABLES &&
         (rule.hook == NF_INET_LOCAL_IN || rule.hook == NF_INET_FORWARD ||
          rule.hook == NF_INET_POST_ROUTING);
}

bool has_words(const std::vector<std::string>& words, std::initializer_list<std::string> wanted) {
  // Not std::ranges::search: Clang 14 does not compile that of GCC 12.
  return std::search(words.begin(), words.end(), wanted.begin(), wanted.end()) != words.end();
}

}  // namespace

bool is_of_invalid_only(const DecidingRule& rule, std::string_view text) {
  if (!is_behind_conntrack(rule)) return false;
  const bool is_saved = rule.ruleset == DPT_RULESET_XTABLES;
  const auto words = saved_words(parts_of(text, is_saved).plain);
  if (!is_saved) return has_words(words, {"ct", "state", "invalid"});
  const bool is_said =
      has_words(words, {"--ctstate", "INVALID"}) || has_words(words, {"--state", "INVALID"});
  return is_said && !has_words(words, {"!", "--ctstate", "INVALID"}) &&
         !has_words(words, {"!", "--state", "INVALID"});
}

}  // namespace dptrace
