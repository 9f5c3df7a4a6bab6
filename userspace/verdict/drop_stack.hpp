// Some frames of a freeing stack are the packet's, and one of those dropped it: helpers that only
// free it for others are skipped.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// A function that frees packets for its caller, who alone knows why.
bool frees_for_others(std::string_view function);

/// A function that allocates, queues or frees packets for its caller, or is the tracer's own.
bool is_freeing_helper(std::string_view function);

/// Here an interrupt, a kernel thread or an idle processor begins. The frames from here outwards
/// say nothing about a packet: those of an interrupt belong to whatever task it interrupted.
/// `do_softirq` begins nothing: the task behind it is usually the one that sent the packet.
bool begins_context(std::string_view function);

/// The stack from the function that dropped the packet outwards, innermost first, as far as it is
/// the packet's own: up to where begins_context().
std::span<const std::uint64_t> dropping_stack(const Drop& drop, const Names& names);

/// Address in the function that dropped the packet: the kernel's location, or where that is in a
/// helper the first frame of the stack that is not.
std::uint64_t dropping_location(const Drop& drop, const Names& names);

/// The same, but of helpers only what frees for others is passed over: as the drop-watch counts.
std::uint64_t freeing_location(const Drop& drop, const Names& names);

/// Address in the netfilter hook function that dropped the packet and freed it itself; 0: none did,
/// or it is none that this version knows.
std::uint64_t deciding_location(const Drop& drop, const Names& names);

/// Without what the compiler appends to a function's name: `.constprop.0`, `.isra.0`, `.part.0`.
std::string_view source_name(std::string_view function);

}  // namespace dptrace
