#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "model/foreign.hpp"
#include "node/rules/rules.hpp"
#include "node/rules/xt_blob.hpp"
#include "node/rules/xt_save.hpp"
#include "os/owned_fd.hpp"

namespace dptrace {

namespace {

// Requests and structs are the same for both families, but for the rules themselves.
static_assert(sizeof(ipt_getinfo) == sizeof(ip6t_getinfo));
static_assert(IPT_SO_GET_INFO == IP6T_SO_GET_INFO && IPT_SO_GET_ENTRIES == IP6T_SO_GET_ENTRIES);

constexpr std::size_t kLargest = 64U << 20;  // some 150,000 rules

struct Table {
  ipt_getinfo info{};
  std::vector<std::byte> blob;
};

Result<Table> read_table(std::uint8_t family, const std::string& name) {
  const bool is_ipv6 = family == NFPROTO_IPV6;
  const int level = is_ipv6 ? static_cast<int>(IPPROTO_IPV6) : static_cast<int>(IPPROTO_IP);
  const OwnedFd socket(
      ::socket(is_ipv6 ? AF_INET6 : AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  const auto failed = [&] {
    return failure(fmt::format("reading table {}: {}", name, std::strerror(errno)));
  };
  if (!socket) return failed();
  Table table;
  if (name.size() >= sizeof table.info.name) return failure("no table has such a name");
  std::memcpy(table.info.name, name.data(), name.size());
  socklen_t size = sizeof table.info;
  if (getsockopt(socket.get(), level, IPT_SO_GET_INFO, &table.info, &size) != 0) return failed();
  if (table.info.size > kLargest) return failure(fmt::format("table {} is too large", name));
  constexpr std::size_t kHeader = offsetof(ipt_get_entries, entrytable);
  std::vector<std::byte> answer(kHeader + table.info.size);
  std::memcpy(answer.data(), table.info.name, sizeof table.info.name);
  std::memcpy(answer.data() + offsetof(ipt_get_entries, size), &table.info.size,
              sizeof table.info.size);
  size = static_cast<socklen_t>(answer.size());
  // The kernel refuses this when the table has another size by now.
  if (getsockopt(socket.get(), level, IPT_SO_GET_ENTRIES, answer.data(), &size) != 0)
    return failed();
  table.blob.assign(answer.begin() + kHeader, answer.end());
  return table;
}

// Returns what can be said of a rule without knowing its matches.
std::string policy_text(const XtRule& rule) {
  return rule.verdict == -NF_DROP - 1 ? "policy DROP" : "policy ACCEPT";
}

// Returns the chain that the rule jumps or goes to; empty: none.
std::string jump_of(const XtRule& rule, const std::vector<XtRule>& rules) {
  if (!rule.target.empty() || rule.verdict < 0) return {};
  const auto to =
      std::lower_bound(rules.begin(), rules.end(), static_cast<std::uint32_t>(rule.verdict),
                       [](const XtRule& one, std::uint32_t offset) { return one.offset < offset; });
  // A rule without a target goes on with the next one.
  return to == rules.end() || to->chain == rule.chain ? std::string() : clean_name(to->chain);
}

// The words are of this table only when each chain has as many rules.
bool agree(const std::vector<XtRule>& rules, const SavedChains& saved) {
  std::size_t here = 0, there = 0;
  for (const auto& [chain, lines] : saved) there += lines.size();
  for (const auto& rule : rules) {
    if (rule.number == 0) continue;
    ++here;
    const auto chain = saved.find(rule.chain);
    if (chain == saved.end() || chain->second.size() < rule.number) return false;
  }
  return here == there;
}

}  // namespace

Result<Rules> read_xtables(std::uint8_t family, const std::string& name) {
  const auto table = read_table(family, name);
  if (!table) return tl::unexpected(table.error());
  XtHooks hooks{table->info.valid_hooks, {}, {}};
  std::copy_n(table->info.hook_entry, hooks.first.size(), hooks.first.begin());
  std::copy_n(table->info.underflow, hooks.policy.size(), hooks.policy.begin());
  const auto rules = walk_xt_blob(family, hooks, table->blob);
  if (!rules) return tl::unexpected(rules.error());
  auto saved = save_xtables(family, name);
  if (!saved || !agree(*rules, *saved)) saved = SavedChains();
  Rules read;
  read.count = table->info.num_entries;
  for (std::size_t number = 0; number < rules->size(); ++number) {
    const auto& rule = (*rules)[number];
    RuleText text{clean_name(rule.chain), rule.number, {}, jump_of(rule, *rules)};
    if (rule.kind == XtRule::Kind::kPolicy) {
      text.text = policy_text(rule);
    } else if (rule.kind != XtRule::Kind::kRule) {
      continue;
    } else if (const auto chain = saved->find(rule.chain); chain != saved->end()) {
      text.text = clean_name(chain->second[rule.number - 1]);
    }
    read.texts.emplace(number, std::move(text));
  }
  return read;
}

std::string why_no_xtables_text() {
  if (can_save_xtables(NFPROTO_IPV4) && can_save_xtables(NFPROTO_IPV6)) return {};
  return "iptables-legacy-save and ip6tables-legacy-save are not in /usr/sbin or /sbin: install "
         "the package iptables";
}

}  // namespace dptrace
