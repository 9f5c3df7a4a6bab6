// TableProbes is the family that tells which rule of iptables-legacy or ip6tables-legacy drops a
// packet. Its programs are loaded when the modules are, which may be later than the start.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "capture/family.hpp"
#include "capture/kernel_offers.hpp"
#include "capture/object.hpp"
#include "capture/table_functions.hpp"

namespace dptrace {

class TableProbes final : public Family {
 public:
  /// `placed` are the functions for which `first` has the programs.
  TableProbes(ProbeState state, Gear gear, dptrace_bpf& first, const KernelOffers& offers,
              std::vector<TableFunction> placed);

  /// Lets go of the probes, or attaches them again, while the family is in place.
  void want(bool wanted);
  /// Probes the tables of modules that were loaded meanwhile. Returns why it could not, for people.
  std::string follow_modules();
  /// Returns which revision the rules of a table have now. Nothing: no program can tell it.
  std::optional<std::uint64_t> revision_of(std::uint8_t family, std::uint64_t table) const;

 private:
  /// What was loaded at one time, for the functions that were there and had no programs.
  struct Part {
    dptrace_bpf* skeleton;
    Skeleton owned;  ///< null: the skeleton is the first one
    std::vector<TableFunction> functions;
    BpfLink replaced;  ///< stays once it is attached, as no replacement may be missed
  };

  Result<std::string> put_in_place() override;
  /// Returns the functions that the kernel has and that no part is for.
  std::vector<TableFunction> new_functions() const;
  Result<> load(std::vector<TableFunction> functions);
  Result<> attach_part(Part& part);
  Result<> attach_to(const Part& part, const TableFunction& function);

  dptrace_bpf& first_;
  const KernelOffers offers_;
  std::vector<Part> parts_;
  bool wanted_ = true;
  std::string modules_;
};

}  // namespace dptrace
