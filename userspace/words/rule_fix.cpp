#include "words/rule_fix.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
// Behind the libc's, with which it agrees only in this order.
#include <linux/netfilter.h>

#include "model/shell_word.hpp"
#include "words/netfilter_words.hpp"
#include "words/owner_words.hpp"

namespace dptrace {

namespace {

bool is_ipv6(const dpt_flow& flow) { return flow.family == 6; }

// A later fragment has none.
bool has_ports(const dpt_flow& flow) {
  return flow.l4.port.destination != 0 &&
         (flow.protocol == IPPROTO_TCP || flow.protocol == IPPROTO_UDP ||
          flow.protocol == IPPROTO_SCTP);
}

std::string_view protocol_of(const dpt_flow& flow) {
  switch (flow.protocol) {
    case IPPROTO_TCP:
      return "tcp";
    case IPPROTO_UDP:
      return "udp";
    case IPPROTO_SCTP:
      return "sctp";
    case IPPROTO_ICMP:
      return "icmp";
    case IPPROTO_ICMPV6:
      return "ipv6-icmp";
    default:
      return {};
  }
}

std::string xtables_command(const DecidingRule& rule) {
  return fmt::format("{} -t {}",
                     rule.family == NFPROTO_IPV6 ? "ip6tables-legacy" : "iptables-legacy",
                     shell_word(rule.table_name));
}

std::string accept_by_xtables(const DecidingRule& rule, const std::string& chain,
                              const dpt_flow& flow) {
  std::string command =
      fmt::format("{} -I {} -s {} -d {}", xtables_command(rule), shell_word(chain),
                  Address(flow.source).text(), Address(flow.destination).text());
  if (const auto protocol = protocol_of(flow); !protocol.empty())
    command += fmt::format(" -p {}", protocol);
  if (has_ports(flow)) command += fmt::format(" --dport {}", flow.l4.port.destination);
  return command + " -j ACCEPT";
}

std::string nft_place(const DecidingRule& rule, const std::string& chain) {
  return fmt::format("{} {} {}", nft_family(rule.family), shell_word(rule.table_name),
                     shell_word(chain));
}

std::string accept_by_nft(const DecidingRule& rule, const std::string& chain,
                          const dpt_flow& flow) {
  const std::string_view ip = is_ipv6(flow) ? "ip6" : "ip";
  std::string command =
      fmt::format("nft insert rule {} {} saddr {} {} daddr {}", nft_place(rule, chain), ip,
                  Address(flow.source).text(), ip, Address(flow.destination).text());
  if (has_ports(flow)) {
    command += fmt::format(" {} dport {}", protocol_of(flow), flow.l4.port.destination);
  } else {
    command += fmt::format(" meta l4proto {}", flow.protocol);
  }
  return command + " accept";
}

std::optional<std::string> policy_fix(const DecidingRule& rule, const std::string& chain,
                                      const dpt_flow& flow) {
  if (flow.family == 0 || (!is_ipv6(flow) && flow.family != 4)) return {};
  return rule.ruleset == DPT_RULESET_XTABLES ? accept_by_xtables(rule, chain, flow)
                                             : accept_by_nft(rule, chain, flow);
}

std::optional<std::string> delete_rule(const DecidingRule& rule, const RuleText& text) {
  if (rule.ruleset == DPT_RULESET_NFTABLES) {
    // A map of verdicts lets others pass, and a chain in braces has no name for a command.
    if (text.text.find("vmap") != std::string::npos || text.chain.starts_with("__chain")) return {};
    return fmt::format("nft delete rule {} handle {}", nft_place(rule, text.chain), rule.decided());
  }
  std::string command = fmt::format("{} -D {}", xtables_command(rule), shell_word(text.chain));
  for (const std::string& word : saved_words(text.text)) command += " " + shell_word(word);
  return command;
}

}  // namespace

std::vector<std::string> saved_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false, quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (!quoted && c == ' ') {
      in_word = false;
      continue;
    }
    if (!in_word) words.emplace_back();
    in_word = true;
    if (c == '"') {
      quoted = !quoted;
    } else if (quoted && c == '\\' && i + 1 < text.size()) {
      words.back() += text[++i];
    } else {
      words.back() += c;
    }
  }
  return words;
}

std::optional<std::string> rule_fix(const DecidingRule& rule, const dpt_flow& flow,
                                    const Names& names) {
  if (rule.ruleset != DPT_RULESET_XTABLES && rule.ruleset != DPT_RULESET_NFTABLES) return {};
  if (rule.is_one_of() || owner_of(rule, names)) return {};
  const RuleText* text = names.rule(rule.id(rule.decided()));
  if (text == nullptr || text->changed || text->chain.empty()) return {};
  if (rule.is_policy()) return policy_fix(rule, text->chain, flow);
  if (text->text.empty()) return {};
  return delete_rule(rule, *text);
}

}  // namespace dptrace
