// The families of probes of a trace, but for tc, which follows the devices: attached, let go of and
// reported alike.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "capture/family.hpp"
#include "capture/hook_probes.hpp"
#include "capture/object.hpp"

namespace dptrace {

class Families {
 public:
  /// Attaches all that this kernel has.
  Families(LoadedObject& object, const KernelOffers& offers);

  /// Attaches those of the gear and of all lower ones, lets go of the others.
  void shift(Gear gear);

  /// The probes of hook functions, while their gear has them: see HookProbes::want().
  void want_hook_functions(bool wanted);

  bool has(std::string_view name) const;
  ProbeStates states() const;
  /// Follows the modules of the kernel. Returns warnings.
  std::vector<std::string> follow_modules();

 private:
  void add(std::unique_ptr<Family> family);

  std::vector<std::unique_ptr<Family>> members_;
  HookProbes* hooks_ = nullptr;
};

}  // namespace dptrace
