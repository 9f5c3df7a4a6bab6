// The live trace follows packets and shows them until the end that the command has set.
#pragma once

#include <optional>

#include "model/result.hpp"
#include "record/target.hpp"
#include "run/commands.hpp"

namespace dptrace {

/// Runs `dptrace trace` and returns its exit status. `target` is where a recording is written, too.
Result<int> follow_packets(const TraceCommand& command, std::optional<record::Target> target);

}  // namespace dptrace
