// parse_command_line() makes a command of the command line.
#pragma once

#include <variant>

#include "run/commands.hpp"

namespace dptrace {

/// Returns the command, or the exit status when the command line was answered (--help) or refused
/// on standard error.
std::variant<Command, int> parse_command_line(int argc, const char* const* argv);

}  // namespace dptrace
