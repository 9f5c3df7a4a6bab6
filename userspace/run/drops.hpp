// The drop-watch counts and shows drops, interval by interval, until the end that the command has
// set.
#pragma once

#include "metrics/metrics_server.hpp"
#include "model/result.hpp"
#include "run/commands.hpp"

namespace dptrace {

/// Runs `dptrace drops` and returns its exit status. `metrics` is null when no metrics are asked
/// for.
Result<int> watch_drops(const DropsCommand& command, MetricsServer* metrics);

}  // namespace dptrace
