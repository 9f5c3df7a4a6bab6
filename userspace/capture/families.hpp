// Families has the families of probes of a trace: all but tc, which follows the devices. They are
// attached, let go of and reported alike.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "capture/family.hpp"
#include "capture/hook_probes.hpp"
#include "capture/nft_probes.hpp"
#include "capture/object.hpp"
#include "capture/table_probes.hpp"

namespace dptrace {

/// Deciders are the probes that tell who decided at a netfilter hook.
struct Deciders {
  bool hook_functions = true;
  bool rules = true;

  friend bool operator==(const Deciders&, const Deciders&) = default;
};

class Families {
 public:
  /// Attaches all families that this kernel has.
  Families(LoadedObject& object, const KernelOffers& offers);

  /// Attaches the families of the gear and of all lower gears, and lets go of the others.
  void shift(Gear gear);

  /// Says which of the probes that tell who decided at a hook are wanted while their gear has them:
  /// see HookProbes::want().
  void want(const Deciders& wanted);

  bool has(std::string_view name) const;
  ProbeStates states() const;
  /// See TableProbes::revision_of().
  std::optional<std::uint64_t> revision_of(std::uint8_t family, std::uint64_t table) const;
  /// Probes the hook functions of kernel modules that were loaded meanwhile. Returns warnings.
  std::vector<std::string> follow_modules();

 private:
  /// Attaches the family, and returns it.
  template <typename Kind>
  Kind* add(std::unique_ptr<Kind> family) {
    Kind* const added = family.get();
    added->attach();
    members_.push_back(std::move(family));
    return added;
  }

  std::vector<std::unique_ptr<Family>> members_;
  HookProbes* hooks_ = nullptr;
  NftProbes* nft_ = nullptr;
  TableProbes* tables_ = nullptr;
};

}  // namespace dptrace
