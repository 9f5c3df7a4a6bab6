// ModuleMonitor tells when kernel modules were loaded, by the messages that the kernel sends for
// udev.
#pragma once

#include "os/owned_fd.hpp"

namespace dptrace {

class ModuleMonitor {
 public:
  /// Begins to follow modules.
  ModuleMonitor();

  /// The descriptor becomes readable when devices or modules have come or gone; -1 when the kernel
  /// does not tell.
  int fd() const { return socket_.get(); }
  /// Takes the messages that have arrived. Returns true when one of them may be of a new module.
  /// The module is then on the kernel's list, and its functions have names, but its own code has
  /// not run yet.
  bool drain();

 private:
  OwnedFd socket_;
};

}  // namespace dptrace
