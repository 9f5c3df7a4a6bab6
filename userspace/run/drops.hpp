// The drop-watch: drops are counted and shown, interval by interval, until the end that the command
// has set.
#pragma once

#include "metrics/metrics_server.hpp"
#include "model/result.hpp"
#include "run/commands.hpp"

namespace dptrace {

/// The exit status. `metrics` is null where none are asked for.
Result<int> watch_drops(const DropsCommand& command, MetricsServer* metrics);

}  // namespace dptrace
