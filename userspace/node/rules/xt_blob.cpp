#include "node/rules/xt_blob.hpp"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>

#include <cstring>
#include <optional>
#include <string_view>

namespace dptrace {

namespace {

constexpr std::array<const char*, 5> kHookChains = {"PREROUTING", "INPUT", "FORWARD", "OUTPUT",
                                                    "POSTROUTING"};

struct Layout {
  std::size_t entry;
  std::size_t target_offset;
  std::size_t next_offset;
};

constexpr Layout kIpv4 = {sizeof(ipt_entry), offsetof(ipt_entry, target_offset),
                          offsetof(ipt_entry, next_offset)};
constexpr Layout kIpv6 = {sizeof(ip6t_entry), offsetof(ip6t_entry, target_offset),
                          offsetof(ip6t_entry, next_offset)};

class Walk {
 public:
  Walk(const Layout& layout, const XtHooks& hooks, std::span<const std::byte> blob)
      : layout_(layout), hooks_(hooks), blob_(blob) {}

  Result<std::vector<XtRule>> run() {
    while (offset_ < blob_.size()) {
      const auto next = add();
      if (!next) return failure(fmt::format("the table is damaged at byte {}", offset_));
      offset_ += *next;
    }
    return std::move(rules_);
  }

 private:
  template <typename T>
  T load(std::size_t at) const {
    T value{};
    std::memcpy(&value, blob_.data() + at, sizeof value);
    return value;
  }

  std::string text(std::size_t at, std::size_t most) const {
    const auto* begin = reinterpret_cast<const char*>(blob_.data() + at);
    return {begin, strnlen(begin, most)};
  }

  /// Adds the rule at offset_, and returns its size; nothing: it is none.
  std::optional<std::size_t> add() {
    if (blob_.size() - offset_ < layout_.entry) return {};
    const std::size_t target = load<std::uint16_t>(offset_ + layout_.target_offset);
    const std::size_t next = load<std::uint16_t>(offset_ + layout_.next_offset);
    if (target < layout_.entry || next < target + sizeof(xt_entry_target) ||
        next > blob_.size() - offset_)
      return {};
    XtRule rule;
    rule.offset = static_cast<std::uint32_t>(offset_);
    rule.target = text(offset_ + target + offsetof(xt_entry_target, u.user.name),
                       sizeof(xt_entry_target{}.u.user.name));
    const std::size_t data = offset_ + target + sizeof(xt_entry_target);
    const std::size_t left = next - target - sizeof(xt_entry_target);
    if (rule.target.empty()) {
      if (left < sizeof rule.verdict) return {};
      rule.verdict = load<std::int32_t>(data);
    }
    place(rule, data, left);
    rules_.push_back(std::move(rule));
    return next;
  }

  void place(XtRule& rule, std::size_t data, std::size_t left) {
    for (std::size_t hook = 0; hook < kHookChains.size(); ++hook) {
      if ((hooks_.valid >> hook & 1) == 0) continue;
      if (rule.offset == hooks_.first[hook]) begin(kHookChains[hook]);
      if (rule.offset == hooks_.policy[hook]) rule.kind = XtRule::Kind::kPolicy;
    }
    if (rule.target == XT_ERROR_TARGET) {
      // In front of this one, the chain has ended with its return.
      if (is_called_by_rules_ && !rules_.empty() && rules_.back().kind == XtRule::Kind::kRule) {
        rules_.back().kind = XtRule::Kind::kEnd;
        rules_.back().number = 0;
      }
      begin(text(data, left));
      is_called_by_rules_ = true;
      rule.kind = XtRule::Kind::kHead;
    }
    rule.chain = chain_;
    if (rule.kind == XtRule::Kind::kRule) rule.number = ++number_;
  }

  void begin(std::string chain) {
    chain_ = std::move(chain);
    number_ = 0;
    is_called_by_rules_ = false;
  }

  const Layout& layout_;
  const XtHooks& hooks_;
  std::span<const std::byte> blob_;
  std::size_t offset_ = 0;
  std::string chain_;
  std::uint32_t number_ = 0;
  bool is_called_by_rules_ = false;
  std::vector<XtRule> rules_;
};

}  // namespace

Result<std::vector<XtRule>> walk_xt_blob(std::uint8_t family, const XtHooks& hooks,
                                         std::span<const std::byte> blob) {
  return Walk(family == NFPROTO_IPV6 ? kIpv6 : kIpv4, hooks, blob).run();
}

}  // namespace dptrace
