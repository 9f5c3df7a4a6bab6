// `dptrace --pod-ip IP` is the live trace.
#include "cli/commands.hpp"
#include "os/ready_file.hpp"
#include "os/stop.hpp"
#include "run/exit_status.hpp"
#include "run/trace.hpp"

namespace dptrace {

int run_trace(const TraceCommand& command) {
  stop::take_signals();
  // The paths are checked first, so that a bad one is told at once.
  if (const auto ready = check_ready_file(command.ready_file); !ready) return fail(ready.error());
  std::optional<record::Target> target;
  if (!command.write_file.empty()) {
    auto opened = record::Target::open(command.write_file);
    if (!opened) return fail(opened.error());
    target.emplace(std::move(*opened));
    stop::before_sudden_end(record::Target::abandon);
  }
  const auto status = follow_packets(command, std::move(target));
  return status ? *status : fail(status.error());
}

}  // namespace dptrace
