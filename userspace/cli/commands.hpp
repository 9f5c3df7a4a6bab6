// Each command is a function, which returns the exit status.
#pragma once

#include "run/commands.hpp"

namespace dptrace {

int run_trace(const TraceCommand& command);
int run_drops(const DropsCommand& command);
int run_show(const ShowCommand& command);
int run_explain(const ExplainCommand& command);
int run_check(const CheckCommand& command);
int run_completion(const CompletionCommand& command);

}  // namespace dptrace
