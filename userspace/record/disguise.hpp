// Recordings are sent to others and tell nothing of where this kernel's code and memory are:
// addresses become numbers, the same address the same number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>

#include "model/names.hpp"

namespace dptrace::record {

class Disguise {
 public:
  /// Of an address in a function; 0 stays 0. Multiples of kCodeStep, in order of appearance.
  std::uint64_t code(std::uint64_t address);
  /// `names` as the disguised addresses need it: `name+0x7e` stays that.
  Symbol symbol(std::uint64_t address, const Symbol& symbol);
  /// Of a packet in memory; 0 stays 0. Counted from 1. An address that was not seen while
  /// kRemembered others were gets a new number.
  std::uint64_t skb(std::uint64_t address);

  /// All addresses of a record; a kind that is not known has none.
  void apply(std::span<std::byte> record);

  /// No function is longer, so that those of different numbers do not meet.
  static constexpr std::uint64_t kCodeStep = 1U << 20;
  static constexpr std::size_t kRemembered = 1U << 17;

 private:
  void disguise_stack(std::span<std::byte> record);

  std::unordered_map<std::uint64_t, std::uint64_t> code_;
  // Addresses that were seen since the last exchange, and before it.
  std::unordered_map<std::uint64_t, std::uint64_t> skbs_;
  std::unordered_map<std::uint64_t, std::uint64_t> older_skbs_;
  std::uint64_t next_skb_ = 1;
};

}  // namespace dptrace::record
