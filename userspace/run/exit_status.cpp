#include "run/exit_status.hpp"

#include "os/outlet.hpp"

namespace dptrace {

int fail(const Error& error) {
  say(error.message);
  return kFailure;
}

}  // namespace dptrace
