// StandardOutput writes the results, and knows whether they arrived.
#pragma once

#include <string>

#include "os/outlet.hpp"
#include "output/output.hpp"

namespace dptrace {

/// The output is buffered. A reader that went away ends it without an error; a full disk is an
/// error.
class StandardOutput final : public Sink {
 public:
  StandardOutput();
  /// False when nothing that is written arrives any more.
  bool write(std::string_view text) override;
  bool flush();
  /// Says on standard error why results are missing, if they are. `status` is the exit status
  /// without that; returns the one with it.
  int end(int status);

 private:
  Outlet outlet_;
  std::string waiting_;
  Outlet::End end_ = Outlet::End::kNone;
};

/// True when standard output is a terminal, and the user has not forbidden colours (NO_COLOR).
bool wants_colour();

/// Prints the whole output of a command. Returns `status`, or kFailure after telling why the output
/// was not written.
int print_results(std::string_view text, int status);

}  // namespace dptrace
