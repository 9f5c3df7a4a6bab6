// These functions put into words why a packet died and what mends it.
#pragma once

#include <optional>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "words/style.hpp"

namespace dptrace {

/// What the node's state, or the rule that dropped the packet, says of the cause. The commands are
/// complete: they enter the netns themselves. Nothing: nobody has asked.
std::optional<Explanation> explanation_of(const Packet& packet, const Drop& drop,
                                          const Names& names);

/// Appends the lines below that of a drop: `why` with the evidence, unless a rule did it, and `fix`
/// with the commands, each ending in a newline.
void append_cause(Buffer& out, const Packet& packet, const Drop& drop, const Names& names,
                  const Paint& paint);

/// Appends such lines of an explanation; no `why` without a sentence.
void append_explanation(Buffer& out, const Explanation& explanation, const Paint& paint);

/// True for a line of append_cause() that has a command: broken in two, it would not be pasted
/// whole.
bool is_command_line(std::string_view line);

/// True when the node's state proves why the packet died.
bool is_explained(const Drop& drop, const Names& names);

}  // namespace dptrace
