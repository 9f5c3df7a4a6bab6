#include "node/rules/nft_droppers.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <array>
#include <map>
#include <set>
#include <utility>

#include "node/netlink.hpp"
#include "node/rules/nft_dump.hpp"

namespace dptrace {

namespace {

// Some 50 ms are spent on so many.
constexpr std::size_t kMostRules = 40'000;

struct Chain {
  std::uint8_t family = 0;
  std::string table, name;
  std::uint32_t hook = 0;
  bool is_filter = false;  // a base chain of that type
  bool drops = false;      // by its policy
};

void parse_chain(const nlmsghdr* message, std::vector<Chain>& chains) {
  Chain chain;
  chain.family = static_cast<const nfgenmsg*>(mnl_nlmsg_get_payload(message))->nfgen_family;
  for_each_attribute(message, sizeof(nfgenmsg), [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case NFTA_CHAIN_TABLE:
        chain.table = nft_text(attribute);
        break;
      case NFTA_CHAIN_NAME:
        chain.name = nft_text(attribute);
        break;
      case NFTA_CHAIN_POLICY:
        chain.drops = nft_number(attribute) == NF_DROP;
        break;
      case NFTA_CHAIN_TYPE:
        chain.is_filter = nft_text(attribute) == "filter";
        break;
      case NFTA_CHAIN_HOOK:
        for_each_nested(attribute, [&](const nlattr* nested) {
          if (mnl_attr_get_type(nested) == NFTA_HOOK_HOOKNUM) chain.hook = nft_number(nested);
        });
        break;
      default:
        break;
    }
  });
  chains.push_back(std::move(chain));
}

Result<std::vector<Chain>> dump_chains() {
  const auto run = [](mnl_cb_t on_message, void* context) {
    alignas(nlmsghdr) std::array<char, 64> bytes{};
    nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
    request->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(nfgenmsg)));
    header->nfgen_family = NFPROTO_UNSPEC;
    header->version = NFNETLINK_V0;
    return run_dump(request, on_message, context, Dump::kNetfilter);
  };
  return dump_with<Chain>("chains of nftables", run, parse_chain, kMostRules);
}

// The chains that may be met behind `first`, and itself. A map of verdicts may lead to any.
std::set<std::string> reach_of(const std::string& first, const std::vector<NftRule>& rules) {
  std::set<std::string> reached = {first};
  for (bool grew = true; grew;) {
    grew = false;
    for (const NftRule& rule : rules) {
      if (!reached.contains(rule.chain)) continue;
      if (!rule.jump.empty()) grew |= reached.insert(rule.jump).second;
      if (!rule.has_verdict_map) continue;
      for (const NftRule& any : rules) grew |= reached.insert(any.chain).second;
      break;
    }
  }
  return reached;
}

}  // namespace

Result<std::vector<NftDropper>> nft_droppers(std::uint8_t family, std::uint8_t hook) {
  const auto chains = dump_chains();
  if (!chains) return tl::unexpected(chains.error());
  std::vector<NftDropper> found;
  std::map<std::string, std::vector<NftRule>> tables;
  std::set<std::pair<std::string, std::uint64_t>> met;  // two base chains may jump to one chain
  std::size_t rules_read = 0;
  for (const Chain& base : *chains) {
    if (!base.is_filter || base.hook != hook || base.family != family) continue;
    if (!tables.contains(base.table)) {
      auto rules = nft_dump(family, base.table, kMostRules);
      if (!rules) return tl::unexpected(rules.error());
      rules_read += rules->size();
      if (rules_read >= kMostRules) return failure("too many rules");
      tables[base.table] = std::move(*rules);
    }
    const auto& rules = tables[base.table];
    const auto reached = reach_of(base.name, rules);
    for (const NftRule& rule : rules) {
      if (rule.may_drop && reached.contains(rule.chain) &&
          met.emplace(base.table, rule.handle).second)
        found.push_back({family, base.table, rule.chain, rule.handle});
    }
    if (base.drops) found.push_back({family, base.table, base.name, 0});
  }
  return found;
}

}  // namespace dptrace
