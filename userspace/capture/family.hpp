// A Family knows what its probes show, what its programs are attached to, and what is lost without
// it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "capture/gear.hpp"
#include "capture/probe.hpp"
#include "capture/skeleton.hpp"
#include "model/result.hpp"

namespace dptrace {

class Family {
 public:
  /// `state` has the name, mechanism and facts.
  Family(ProbeState state, Gear gear) : state_(std::move(state)), gear_(gear) {}
  virtual ~Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  /// Attaches the family, and says in state() whether it is attached. A family that the kernel
  /// refuses costs its facts, nothing else.
  void attach();
  void detach();

  const ProbeState& state() const { return state_; }
  /// Returns the lowest gear in which the family is attached.
  Gear gear() const { return gear_; }

 protected:
  /// Attaches the programs. Returns what the family does not see although it is attached, and what
  /// to do about it; empty: nothing. An error says why it is not attached.
  virtual Result<std::string> put_in_place() = 0;
  /// Returns true between an attach() that succeeded and detach(), also for a family that has no
  /// link or lacks something.
  bool is_in_place() const { return in_place_; }
  void keep(BpfLink link) { links_.push_back(std::move(link)); }

 private:
  ProbeState state_;
  const Gear gear_;
  bool in_place_ = false;
  std::vector<BpfLink> links_;
};

/// ProgramFamily is one program at one place that the program names itself: a tracepoint or a
/// function of the kernel.
class ProgramFamily final : public Family {
 public:
  /// `refusal` says why the program was not loaded; empty: it was. `place` names the sort of place,
  /// for people.
  ProgramFamily(ProbeState state, Gear gear, bpf_program* program, std::string refusal,
                const char* place)
      : Family(std::move(state), gear),
        program_(program),
        refusal_(std::move(refusal)),
        place_(place) {}

 private:
  Result<std::string> put_in_place() override;

  bpf_program* program_;
  const std::string refusal_;
  const char* place_;
};

/// SocketFamily is the program that runs for each packet that a socket of the node takes.
class SocketFamily final : public Family {
 public:
  /// `program` is null where it was refused.
  SocketFamily(ProbeState state, bpf_program* program, std::string refusal)
      : Family(std::move(state), Gear::kArmed), program_(program), refusal_(std::move(refusal)) {}

 private:
  Result<std::string> put_in_place() override;

  bpf_program* program_;
  const std::string refusal_;
};

}  // namespace dptrace
