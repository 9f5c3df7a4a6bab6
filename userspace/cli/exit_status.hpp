// What dptrace's exit status says to scripts.
#pragma once

namespace dptrace {

enum ExitStatus : int {
  kSuccess = 0,
  kFailure = 1,
  kUsage = 2,
  kDropSeen = 3,  ///< with --fail-on-drop
};

}  // namespace dptrace
