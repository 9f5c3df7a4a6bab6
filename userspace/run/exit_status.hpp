// The exit status tells scripts how a command ended.
#pragma once

#include "model/result.hpp"

namespace dptrace {

enum ExitStatus : int {
  kSuccess = 0,
  kFailure = 1,
  kUsage = 2,
  kDropSeen = 3,  ///< with --fail-on-drop
};

/// Says on standard error what went wrong, and returns the exit status.
int fail(const Error& error);

}  // namespace dptrace
