#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <exception>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "os/outlet.hpp"
#include "run/exit_status.hpp"

namespace {

struct Run {
  int operator()(const dptrace::TraceCommand& command) const { return dptrace::run_trace(command); }
  int operator()(const dptrace::DropsCommand& command) const { return dptrace::run_drops(command); }
  int operator()(const dptrace::ShowCommand& command) const { return dptrace::run_show(command); }
  int operator()(const dptrace::ExplainCommand& command) const {
    return dptrace::run_explain(command);
  }
  int operator()(const dptrace::CheckCommand& command) const { return dptrace::run_check(command); }
  int operator()(const dptrace::CompletionCommand& command) const {
    return dptrace::run_completion(command);
  }
};

// A file that is opened later must not get the number of a closed standard output, and then what
// is printed. With /dev/null in its place a write fails.
void keep_standard_numbers() {
  int fd = 0;
  do {
    fd = open("/dev/null", O_RDONLY);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  keep_standard_numbers();
  std::signal(SIGPIPE, SIG_IGN);  // an end of output, which is seen where it is written
  try {
    const auto parsed = dptrace::parse_command_line(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    return std::visit(Run{}, std::get<dptrace::Command>(parsed));
  } catch (const std::exception& error) {
    dptrace::say(error.what());
    return dptrace::kFailure;
  }
}
