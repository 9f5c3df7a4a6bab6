// The command line as a command.
#pragma once

#include <variant>

#include "run/commands.hpp"

namespace dptrace {

/// The command, or the exit status when the command line was answered (--help) or refused on
/// standard error.
std::variant<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace dptrace
