#include "run/standard_output.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "run/exit_status.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kEnoughWaiting = 64U << 10;  // bytes

}  // namespace

StandardOutput::StandardOutput() : outlet_(STDOUT_FILENO) {}

bool StandardOutput::write(std::string_view text) {
  if (end_ != Outlet::End::kNone) return false;
  waiting_ += text;
  return waiting_.size() < kEnoughWaiting || flush();
}

bool StandardOutput::flush() {
  if (end_ == Outlet::End::kNone) end_ = outlet_.write(waiting_);
  waiting_.clear();
  return end_ == Outlet::End::kNone;
}

int StandardOutput::end(int status) {
  flush();
  if (end_ == Outlet::End::kStopped)
    say("the last results are lost: nobody has read standard output since the signal came");
  if (end_ != Outlet::End::kFailed) return status;
  const char* hint = outlet_.error() == ENOSPC ? " (free some space, or write elsewhere)" : "";
  say(fmt::format("writing to standard output: {}{}", std::strerror(outlet_.error()), hint));
  return kFailure;
}

bool wants_colour() {
  const char* no_colour = std::getenv("NO_COLOR");
  return isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0');
}

int print_results(std::string_view text, int status) {
  StandardOutput output;
  output.write(text);
  return output.end(status);
}

}  // namespace dptrace
