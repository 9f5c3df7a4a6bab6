// A family of probes: what it shows, what its programs are attached to, and what is lost without
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
  /// `state`: name, mechanism and facts.
  Family(ProbeState state, Gear gear) : state_(std::move(state)), gear_(gear) {}
  virtual ~Family() = default;
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;

  /// Says in state() whether it is. A family that the kernel refuses costs its facts, nothing else.
  void attach();
  void detach();

  const ProbeState& state() const { return state_; }
  /// The lowest gear in which it is attached.
  Gear gear() const { return gear_; }

 protected:
  /// What it does not see although it is attached, and what to do about it; empty: nothing.
  virtual Result<std::string> put_in_place() = 0;
  /// Between attach() and detach(), also without a link and where it lacks something.
  bool is_in_place() const { return in_place_; }
  void keep(BpfLink link) { links_.push_back(std::move(link)); }

 private:
  ProbeState state_;
  const Gear gear_;
  bool in_place_ = false;
  std::vector<BpfLink> links_;
};

/// One program at one place that it names itself: a tracepoint or a function of the kernel.
class ProgramFamily final : public Family {
 public:
  /// `refusal`: why the program was not loaded; empty: it was. `place`: for people.
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

/// The program that runs for each packet that a socket of the node takes.
class SocketFamily final : public Family {
 public:
  /// `program`: none where it was refused.
  SocketFamily(ProbeState state, bpf_program* program, std::string refusal)
      : Family(std::move(state), Gear::kArmed), program_(program), refusal_(std::move(refusal)) {}

 private:
  Result<std::string> put_in_place() override;

  bpf_program* program_;
  const std::string refusal_;
};

}  // namespace dptrace
