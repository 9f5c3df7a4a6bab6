// ModuleMonitor tells that kernel modules were loaded, by the messages that udev lives on.
#pragma once

#include "os/owned_fd.hpp"

namespace dptrace {

class ModuleMonitor {
 public:
  /// Tells of modules from now on.
  ModuleMonitor();

  /// Becomes readable when devices, or modules, have come or gone; -1: the kernel tells nothing.
  int fd() const { return socket_.get(); }
  /// Takes what has arrived. True: a module may be among it. It is then on the kernel's list, and
  /// its functions have names, but it has not begun yet.
  bool drain();

 private:
  OwnedFd socket_;
};

}  // namespace dptrace
