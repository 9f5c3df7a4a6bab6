// What programs that make rules mean by them: one row for each kind of rule, or of chain's policy.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace dptrace {

enum class OwnerTool : std::uint8_t { kIptables, kNftables };  ///< iptables: of both kinds
enum class OwnerVerdict : std::uint8_t { kEither, kDropped, kRejected };

/// A part of a rule's text, as iptables-save and as nft print it.
struct OwnerText {
  std::string_view saved;
  std::string_view listed;
};

/// A row fits when all that it demands is so. What is empty demands nothing. In patterns a `*` is
/// any text without a space, and none.
struct OwnerRow {
  std::string_view chain;    ///< pattern
  std::string_view comment;  ///< pattern of one of the rule's comments
  OwnerVerdict verdict = OwnerVerdict::kEither;
  /// `$1` is what the first `*` stands for: those of the chain come first, then those of the
  /// comment.
  std::string_view sentence = {};
  OwnerText text = {};
  std::string_view after = {};  ///< pattern of a chain that the packet was in before
  bool is_policy = false;
};

/// The cause (docs/causes) that a row proves; empty: no other than any rule.
std::string_view cause_of(const OwnerRow& row);

struct Owner {
  std::string_view name;
  OwnerTool tool = OwnerTool::kIptables;
  std::string_view table;  ///< pattern
  std::string_view mark;   ///< pattern of a comment that each of its rules has besides
  std::span<const OwnerRow> rows;
};

/// The first row that fits is the one.
std::span<const Owner> owners();

}  // namespace dptrace
