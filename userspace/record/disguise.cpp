#include "record/disguise.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "dptrace/event.h"

namespace dptrace::record {

namespace {

template <typename Change>
void change(std::span<std::byte> record, std::size_t offset, Change change_value) {
  std::uint64_t value = 0;
  if (record.size() < offset + sizeof value) return;
  std::memcpy(&value, &record[offset], sizeof value);
  value = change_value(value);
  std::memcpy(&record[offset], &value, sizeof value);
}

}  // namespace

std::uint64_t Disguise::code(std::uint64_t address) {
  if (address == 0) return 0;
  return code_.try_emplace(address, (code_.size() + 1) * kCodeStep).first->second;
}

Symbol Disguise::symbol(std::uint64_t address, const Symbol& symbol) {
  const std::uint64_t offset = address - symbol.start;
  return {symbol.name, code(address) - std::min(offset, kCodeStep - 1)};
}

std::uint64_t Disguise::skb(std::uint64_t address) {
  if (address == 0) return 0;
  if (const auto known = skbs_.find(address); known != skbs_.end()) return known->second;
  if (skbs_.size() >= kRemembered) {
    older_skbs_ = std::exchange(skbs_, {});
  }
  const auto older = older_skbs_.find(address);
  const std::uint64_t number = older != older_skbs_.end() ? older->second : next_skb_++;
  skbs_.emplace(address, number);
  return number;
}

// Entries beyond the depth of a stack were not written by the kernel, and are zeroed.
void Disguise::disguise_stack(std::span<std::byte> record) {
  if (record.size() < offsetof(dpt_drop, mark)) return;
  const auto depth = std::to_integer<std::size_t>(record[offsetof(dpt_drop, stack_depth)]);
  for (std::size_t i = 0; i < DPT_STACK_DEPTH; ++i) {
    change(record, offsetof(dpt_drop, stack) + i * sizeof(std::uint64_t),
           [&](std::uint64_t address) { return i < depth ? code(address) : 0; });
  }
}

void Disguise::apply(std::span<std::byte> record) {
  dpt_event event{};
  if (record.size() < sizeof event) return;
  std::memcpy(&event, record.data(), sizeof event);
  const auto to_skb = [&](std::uint64_t address) { return skb(address); };
  const auto to_code = [&](std::uint64_t address) { return code(address); };
  switch (event.kind) {
    case DPT_EVENT_HOP:
      change(record, offsetof(dpt_hop, skb), to_skb);
      break;
    case DPT_EVENT_DROP:
      change(record, offsetof(dpt_drop, hop.skb), to_skb);
      change(record, offsetof(dpt_drop, location), to_code);
      disguise_stack(record);
      break;
    case DPT_EVENT_NETFILTER:
      change(record, offsetof(dpt_netfilter, hop.skb), to_skb);
      change(record, offsetof(dpt_netfilter, function), to_code);
      break;
    case DPT_EVENT_END:
      change(record, offsetof(dpt_end, skb), to_skb);
      change(record, offsetof(dpt_end, location), to_code);
      break;
    case DPT_EVENT_FULL_LISTENER:
      change(record, offsetof(dpt_full_listener, skb), to_skb);
      break;
    case DPT_EVENT_RULE:
      change(record, offsetof(dpt_rule, skb), to_skb);
      change(record, offsetof(dpt_rule, table), to_code);
      change(record, offsetof(dpt_rule, revision), to_code);
      break;
    default:
      break;
  }
}

RuleId Disguise::rule(RuleId id) {
  id.table = code(id.table);
  id.revision = code(id.revision);
  return id;
}

}  // namespace dptrace::record
