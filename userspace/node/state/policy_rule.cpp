#include "node/state/policy_rule.hpp"

#include <fmt/format.h>
#include <linux/fib_rules.h>

#include <array>

#include "model/foreign.hpp"
#include "node/netlink.hpp"
#include "node/state/route.hpp"

namespace dptrace {

namespace {

constexpr std::uint32_t kMain = 32766, kDefault = 32767;

bool is_of_every_netns(const PolicyRule& rule) {
  const std::uint32_t table = rule.table;
  return (rule.priority == 0 && table == RT_TABLE_LOCAL) ||
         (rule.priority == kMain && table == RT_TABLE_MAIN) ||
         (rule.priority == kDefault && table == RT_TABLE_DEFAULT);
}

void take_attribute(const nlattr* attribute, PolicyRule& rule) {
  switch (mnl_attr_get_type(attribute)) {
    case FRA_PRIORITY:
      rule.priority = mnl_attr_get_u32(attribute);
      break;
    case FRA_TABLE:
      rule.table = mnl_attr_get_u32(attribute);
      break;
    case FRA_SRC:
      rule.source = address_attribute(attribute).value_or(Address{});
      break;
    case FRA_DST:
      rule.destination = address_attribute(attribute).value_or(Address{});
      break;
    case FRA_FWMARK:
      rule.mark = mnl_attr_get_u32(attribute);
      break;
    case FRA_FWMASK:
      rule.mask = mnl_attr_get_u32(attribute);
      break;
    case FRA_IIFNAME:
      if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
        rule.input = clean_name(mnl_attr_get_str(attribute));
      break;
    // These say where the rule comes from, or -1 for "not used", and choose no packets.
    case FRA_PROTOCOL:
    case FRA_SUPPRESS_PREFIXLEN:
    case FRA_SUPPRESS_IFGROUP:
    case FRA_PAD:
      break;
    default:
      rule.asks_more = true;
  }
}

int take_rule(const nlmsghdr* message, void* data) {
  auto& rules = *static_cast<std::vector<PolicyRule>*>(data);
  if (mnl_nlmsg_get_payload_len(message) < sizeof(fib_rule_hdr)) return MNL_CB_OK;
  const auto* info = static_cast<const fib_rule_hdr*>(mnl_nlmsg_get_payload(message));
  PolicyRule rule;
  rule.action = info->action;
  rule.table = info->table;
  rule.source_length = info->src_len;
  rule.destination_length = info->dst_len;
  rule.inverted = (info->flags & FIB_RULE_INVERT) != 0;
  rule.asks_more = info->tos != 0;
  for_each_attribute(message, sizeof *info,
                     [&](const nlattr* attribute) { take_attribute(attribute, rule); });
  if (!is_of_every_netns(rule)) rules.push_back(std::move(rule));
  return MNL_CB_OK;
}

}  // namespace

Result<std::vector<PolicyRule>> read_policy_rules(std::uint8_t family) {
  alignas(nlmsghdr) std::array<char, 64> bytes{};
  nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
  request->nlmsg_type = RTM_GETRULE;
  auto* info =
      static_cast<fib_rule_hdr*>(mnl_nlmsg_put_extra_header(request, sizeof(fib_rule_hdr)));
  info->family = family;
  std::vector<PolicyRule> rules;
  const int error = run_dump(request, take_rule, &rules, Dump::kStrictRoute);
  if (error != 0) return failure(dump_error("routing rules", error));
  return rules;
}

bool is_for(const PolicyRule& rule, const PolicyQuestion& packet) {
  if (rule.asks_more) return false;
  const bool matches =
      (rule.source_length == 0 || is_in_prefix(packet.source, rule.source, rule.source_length)) &&
      (rule.destination_length == 0 ||
       is_in_prefix(packet.destination, rule.destination, rule.destination_length)) &&
      (rule.input.empty() || rule.input == packet.input) &&
      ((packet.mark ^ rule.mark) & rule.mask) == 0;
  return matches != rule.inverted;
}

std::string policy_text(const PolicyRule& rule) {
  std::string text = fmt::format("ip rule {}:{}", rule.priority, rule.inverted ? " not" : "");
  const auto prefix = [&](std::string_view name, const Address& address, std::uint8_t length) {
    if (length != 0) text += fmt::format(" {} {}", name, prefix_text(address, length));
  };
  prefix("from", rule.source, rule.source_length);
  prefix("to", rule.destination, rule.destination_length);
  if (!rule.input.empty()) text += fmt::format(" iif {}", rule.input);
  if (rule.mask != 0) text += fmt::format(" fwmark {:#x}/{:#x}", rule.mark, rule.mask);
  switch (rule.action) {
    case FR_ACT_TO_TBL:
      return text + fmt::format(" lookup {}", rule.table);
    case FR_ACT_BLACKHOLE:
      return text + " blackhole";
    case FR_ACT_UNREACHABLE:
      return text + " unreachable";
    case FR_ACT_PROHIBIT:
      return text + " prohibit";
    default:
      return text;
  }
}

}  // namespace dptrace
