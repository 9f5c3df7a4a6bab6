// These functions put into words which rule dropped a packet.
#pragma once

#include <cstdint>
#include <vector>

#include "model/names.hpp"
#include "words/style.hpp"

namespace dptrace {

/// Appends the lines below that of a drop: `by` with the rule, and `path` with the rules whose
/// jumps led to it, each ending in a newline.
void append_rule(Buffer& out, const DecidingRule& rule, const Names& names, const Paint& paint);

/// Appends the line `by` for a drop whose rule is not known, if it is known what part of the kernel
/// the hook function belongs to: `by    connection tracking (nf_conntrack_in)`.
void append_hook_owner(Buffer& out, std::string_view function, const Paint& paint);

/// The rules from the hook's own chain to the one that decided: each but the last jumps, or goes,
/// to the chain of the next. Empty when the way is not known.
std::vector<std::uint64_t> way_to(const DecidingRule& rule, const Names& names);

/// `iptables`, `ip6tables`, `ebtables`, or `nftables` with the family, `nftables inet`.
void append_tables(Buffer& out, const DecidingRule& rule);

}  // namespace dptrace
