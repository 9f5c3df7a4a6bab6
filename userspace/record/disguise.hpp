// Disguise hides the kernel's addresses in recordings, which are sent to others: they must not tell
// where this kernel's code and memory are. Addresses become numbers, the same address always the
// same number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "model/names.hpp"

namespace dptrace::record {

class Disguise {
 public:
  /// The number for an address in a function: a multiple of kCodeStep, in order of appearance; 0
  /// stays 0.
  std::uint64_t code(std::uint64_t address);
  /// The symbol for the disguised address, so that it is still told as `name+0x7e`.
  Symbol symbol(std::uint64_t address, const Symbol& symbol);
  /// The number for the address of an skb, counted from 1; 0 stays 0. An address that was not seen
  /// while kRemembered others were seen may get a new number.
  std::uint64_t skb(std::uint64_t address);

  /// The rule with its table and revision, which may be addresses, as numbers of code().
  RuleId rule(RuleId id);

  /// Disguises all addresses of a record. A record of an unknown kind has none.
  void apply(std::span<std::byte> record);

  /// No function is longer than this, so addresses in functions with different numbers do not meet.
  static constexpr std::uint64_t kCodeStep = 1U << 20;
  static constexpr std::size_t kRemembered = 1U << 17;

 private:
  void disguise_stack(std::span<std::byte> record);

  std::unordered_map<std::uint64_t, std::uint64_t> code_;
  // `skbs_` has the addresses that were seen since the last exchange of the two maps, `older_skbs_`
  // those from before.
  std::unordered_map<std::uint64_t, std::uint64_t> skbs_;
  std::unordered_map<std::uint64_t, std::uint64_t> older_skbs_;
  std::uint64_t next_skb_ = 1;
};

}  // namespace dptrace::record
