// `dptrace drops` is the drop-watch.
#include "cli/commands.hpp"
#include "cli/version.hpp"
#include "os/ready_file.hpp"
#include "os/stop.hpp"
#include "run/drops.hpp"
#include "run/exit_status.hpp"

namespace dptrace {

namespace {

// The server of metrics; null when none are asked for.
Result<std::unique_ptr<MetricsServer>> serve_metrics(const DropsCommand& command) {
  if (!command.metrics) return nullptr;
  return MetricsServer::start({.address = *command.metrics,
                               .patience = MetricsServer::patience_for(command.interval),
                               .version = kVersion,
                               .web_config = command.metrics_config});
}

}  // namespace

int run_drops(const DropsCommand& command) {
  stop::take_signals();
  if (const auto ready = check_ready_file(command.ready_file); !ready) return fail(ready.error());
  // The server starts first, so that an address in use is told at once.
  const auto metrics = serve_metrics(command);
  if (!metrics) return fail(metrics.error());
  const auto status = watch_drops(command, metrics->get());
  return status ? *status : fail(status.error());
}

}  // namespace dptrace
