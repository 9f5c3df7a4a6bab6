// The live trace: packets are followed and shown until the end that the command has set.
#pragma once

#include <optional>

#include "model/result.hpp"
#include "record/target.hpp"
#include "run/commands.hpp"

namespace dptrace {

/// The exit status. `target`: where a recording goes, too.
Result<int> follow_packets(const TraceCommand& command, std::optional<record::Target> target);

}  // namespace dptrace
