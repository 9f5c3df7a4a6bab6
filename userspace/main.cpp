#include <fmt/format.h>

#include <exception>

#include "cli/commands.hpp"
#include "cli/exit_status.hpp"

namespace {

struct Run {
  int operator()(const dptrace::TraceCommand& command) const { return dptrace::run_trace(command); }
  int operator()(const dptrace::DropsCommand& command) const { return dptrace::run_drops(command); }
  int operator()(const dptrace::ShowCommand& command) const { return dptrace::run_show(command); }
  int operator()(const dptrace::CheckCommand& command) const { return dptrace::run_check(command); }
  int operator()(const dptrace::CompletionCommand& command) const {
    return dptrace::run_completion(command);
  }
};

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto parsed = dptrace::parse_command_line(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    return std::visit(Run{}, std::get<dptrace::Command>(parsed));
  } catch (const std::exception& error) {
    fmt::print(stderr, "dptrace: {}\n", error.what());
    return dptrace::kFailure;
  }
}
