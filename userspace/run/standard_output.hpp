// Standard output: results, and whether they arrived.
#pragma once

#include <string>

#include "os/outlet.hpp"
#include "output/output.hpp"

namespace dptrace {

/// Buffered. A reader that went away is an end, and no error; a disk that is full is one.
class StandardOutput final : public Sink {
 public:
  StandardOutput();
  /// False when what is written goes nowhere any more.
  bool write(std::string_view text) override;
  bool flush();
  /// Says on standard error why results are missing. `status` is that of the command without that;
  /// returned is the one with it.
  int end(int status);

 private:
  Outlet outlet_;
  std::string waiting_;
  Outlet::End end_ = Outlet::End::kNone;
};

/// It is a terminal, and the user has not forbidden colours (NO_COLOR).
bool wants_colour();

/// The whole output of a command. Returns `status`, or kFailure after telling why it was not
/// written.
int print_results(std::string_view text, int status);

}  // namespace dptrace
