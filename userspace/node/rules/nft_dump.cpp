#include "node/rules/nft_dump.hpp"

#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "node/netlink.hpp"

namespace dptrace {

namespace {

// A request is a header and the name of a table.
constexpr std::size_t kRequestBytes = 1024;

// What iptables keeps as a match that is called "comment".
std::string_view comment_of_match(const nlattr* data) {
  std::string_view name, info;
  for_each_nested(data, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NFTA_MATCH_NAME) name = nft_text(attribute);
    if (mnl_attr_get_type(attribute) == NFTA_MATCH_INFO) info = nft_text(attribute);
  });
  return name == "comment" ? info : std::string_view();
}

// Takes the verdict of an immediate, the data of which these are.
void take_immediate(const nlattr* data, NftRule& rule) {
  for_each_nested(data, [&](const nlattr* immediate) {
    if (mnl_attr_get_type(immediate) != NFTA_IMMEDIATE_DATA) return;
    for_each_nested(immediate, [&](const nlattr* value) {
      if (mnl_attr_get_type(value) != NFTA_DATA_VERDICT) return;
      for_each_nested(value, [&](const nlattr* verdict) {
        if (mnl_attr_get_type(verdict) == NFTA_VERDICT_CHAIN) rule.jump = nft_text(verdict);
        if (mnl_attr_get_type(verdict) == NFTA_VERDICT_CODE)
          rule.may_drop |= nft_number(verdict) == NF_DROP;
      });
    });
  });
}

// Lookups that have a destination take what they find in a map; register 0 is that of verdicts.
bool is_verdict_map(const nlattr* data) {
  bool is_one = false;
  for_each_nested(data, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NFTA_LOOKUP_DREG)
      is_one = nft_number(attribute) == NFT_REG_VERDICT;
  });
  return is_one;
}

bool may_drop(std::string_view expression) {
  constexpr std::array<std::string_view, 7> kNames = {"reject", "queue",    "nat",   "masq",
                                                      "redir",  "synproxy", "tproxy"};
  return std::ranges::find(kNames, expression) != kNames.end();
}

// Targets of iptables that let every packet go on.
bool lets_go_on(const nlattr* data) {
  constexpr std::array<std::string_view, 8> kNames = {"MARK",   "CONNMARK", "LOG", "NFLOG",
                                                      "TCPMSS", "CT",       "SET", "CLASSIFY"};
  std::string_view name;
  for_each_nested(data, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NFTA_TARGET_NAME) name = nft_text(attribute);
  });
  return std::ranges::find(kNames, name) != kNames.end();
}

void parse_expression(const nlattr* expression, NftRule& rule) {
  std::string_view name;
  for_each_nested(expression, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == NFTA_EXPR_NAME) {
      name = nft_text(attribute);
      rule.may_drop |= may_drop(name);
    }
    // The name comes before the data.
    if (mnl_attr_get_type(attribute) != NFTA_EXPR_DATA) return;
    if (name == "immediate") take_immediate(attribute, rule);
    if (name == "lookup" && is_verdict_map(attribute)) rule.has_verdict_map = rule.may_drop = true;
    if (name == "target") rule.may_drop |= !lets_go_on(attribute);
    if (name != "match") return;
    if (const auto comment = comment_of_match(attribute); !comment.empty())
      rule.comments.emplace_back(comment);
  });
}

void parse_rule(const nlmsghdr* message, std::vector<NftRule>& rules) {
  NftRule rule;
  for_each_attribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case NFTA_RULE_CHAIN:
        rule.chain = nft_text(attribute);
        break;
      case NFTA_RULE_HANDLE:
        if (mnl_attr_get_payload_len(attribute) == sizeof(std::uint64_t))
          rule.handle = be64toh(mnl_attr_get_u64(attribute));
        break;
      case NFTA_RULE_EXPRESSIONS:
        for_each_nested(attribute,
                        [&](const nlattr* expression) { parse_expression(expression, rule); });
        break;
      default:
        break;
    }
  });
  rules.push_back(std::move(rule));
}

}  // namespace

std::string_view nft_text(const nlattr* attribute) {
  const auto* text = static_cast<const char*>(mnl_attr_get_payload(attribute));
  return {text, strnlen(text, mnl_attr_get_payload_len(attribute))};
}

std::uint32_t nft_number(const nlattr* attribute) {
  const bool is_one = mnl_attr_get_payload_len(attribute) == sizeof(std::uint32_t);
  return is_one ? be32toh(mnl_attr_get_u32(attribute)) : 0;
}

Result<std::vector<NftRule>> nft_dump(std::uint8_t family, const std::string& table,
                                      std::size_t most) {
  const auto run = [&](mnl_cb_t on_message, void* context) {
    alignas(nlmsghdr) std::array<char, kRequestBytes> bytes{};
    nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
    request->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    if (!mnl_attr_put_strz_check(request, bytes.size(), NFTA_RULE_TABLE, table.c_str()))
      return ENAMETOOLONG;
    return run_dump(request, on_message, context, Dump::kNetfilter);
  };
  return dump_with<NftRule>("rules of nftables", run, parse_rule, most);
}

}  // namespace dptrace
