// A running capture: every probe that this kernel allows, attached; records come out of poll().
#pragma once

#include <chrono>
#include <memory>

#include "capture/devices.hpp"
#include "capture/object.hpp"
#include "capture/probe.hpp"
#include "capture/ring.hpp"
#include "capture/settings.hpp"
#include "model/result.hpp"
#include "node/symbols.hpp"

namespace dptrace {

class Capture {
 public:
  using Receiver = Ring::Receiver;

  /// An error when nothing can be seen at all; a probe that is missing is told in probes().
  static Result<std::unique_ptr<Capture>> start(const CaptureSettings& settings,
                                                const KernelBtf& btf, SymbolsReading& symbols);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  enum class Wait {
    kForMany,  ///< records or all of `timeout`, which costs those who send least
    kForOne,   ///< until the first record
  };

  /// Waits for records, changed links or `wake_fd` becoming readable, at most `timeout`, then hands
  /// over all records there are.
  Result<> poll(std::chrono::milliseconds timeout, Wait wait, int wake_fd, const Receiver& receive);
  /// CLOCK_MONOTONIC time before which no record is still to come.
  std::uint64_t complete_until() const { return complete_until_; }
  /// Records that found no room in the ring, of all kinds and CPUs.
  std::uint64_t lost() const;

  const ProbeStates& probes() const { return probes_; }
  std::vector<std::string> take_warnings();
  /// Probes the hook functions of modules that were loaded meanwhile. True when there were any:
  /// their symbols are new.
  bool follow_modules();

 private:
  Capture() = default;
  Result<> attach_tracepoints();
  void attach_sockets();
  void attach_netfilter(const KernelOffers& offers);
  void attach_kprobe(const HookFunction& function);
  Result<> attach_devices(const CaptureSettings& settings, const KernelOffers& offers,
                          std::size_t links);
  /// Once nothing was followed for a while, packets that do not match cost less again.
  void forget_following();

  LoadedObject object_;
  std::vector<BpfLink> links_;
  std::string modules_;  ///< as /proc/modules had them last
  std::unique_ptr<Devices> devices_;
  std::unique_ptr<Ring> ring_;
  ProbeStates probes_;
  std::vector<std::string> warnings_;
  std::uint64_t complete_until_ = 0;
};

}  // namespace dptrace
