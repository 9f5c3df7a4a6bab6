// drop_stack tells which frames of a freeing stack are the packet's, and which of these dropped it:
// helpers that only free packets for others are skipped.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

/// True for a function that frees packets for its caller, who alone knows why.
bool frees_for_others(std::string_view function);

/// True for a function that allocates, queues or frees packets for its caller, or that is the
/// tracer's own.
bool is_freeing_helper(std::string_view function);

/// True for a function where an interrupt, a kernel thread or an idle processor begins. The frames
/// from there outwards say nothing about a packet: those of an interrupt belong to whatever task it
/// interrupted. `do_softirq` is no such function: the task behind it is usually the one that sent
/// the packet.
bool begins_context(std::string_view function);

/// The stack from the function that dropped the packet outwards, innermost first. It ends before
/// the first function for which begins_context() is true, because the frames from there on are not
/// the packet's own.
std::span<const std::uint64_t> dropping_stack(const Drop& drop, const Names& names);

/// An address in the function that dropped the packet: the kernel's location or, where that is in a
/// helper, the first frame of the stack that is not in one.
std::uint64_t dropping_location(const Drop& drop, const Names& names);

/// The location by which the drop-watch counts. It differs from dropping_location() in that only
/// helpers that free for others are passed over.
std::uint64_t freeing_location(const Drop& drop, const Names& names);

/// An address in the netfilter hook function that dropped the packet and freed it itself. 0 when no
/// hook function did, or when this version does not know the function.
std::uint64_t deciding_location(const Drop& drop, const Names& names);

/// The name without what the compiler appends to it: `.constprop.0`, `.isra.0`, `.part.0`.
std::string_view source_name(std::string_view function);

}  // namespace dptrace
