// A Capture runs: it attaches every probe that this kernel allows, and hands over records in
// poll().
#pragma once

#include <chrono>
#include <memory>
#include <span>

#include "attach/devices.hpp"
#include "attach/tunnel_ports.hpp"
#include "capture/families.hpp"
#include "capture/gearbox.hpp"
#include "capture/hook_gear.hpp"
#include "capture/marks.hpp"
#include "capture/object.hpp"
#include "capture/probe.hpp"
#include "capture/ring.hpp"
#include "capture/settings.hpp"
#include "model/result.hpp"
#include "names/symbols.hpp"

namespace dptrace {

class Capture {
 public:
  using Receiver = Ring::Receiver;

  /// Returns an error when nothing can be seen at all; probes() tells which probes are missing.
  /// `btf` is gone before programs are loaded: libbpf reads a BTF of its own, and each takes as
  /// much memory as all the rest.
  static Result<std::unique_ptr<Capture>> start(const CaptureSettings& settings, KernelBtf btf,
                                                SymbolsReading& symbols);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  enum class Wait {
    kForMany,  ///< waits for many records or for all of `timeout`, which costs senders least
    kForOne,   ///< waits until the first record
  };

  /// Forgets what was seen so far, when not everything was attached yet, except for the devices,
  /// which `receive` gets. What is seen from now on is whole, except for packets under way.
  void begin(const Receiver& receive);
  /// Waits for records, changed links or one of `wake_fds` becoming readable, at most `timeout`,
  /// and no longer than Capture's own work may wait. Then hands over all records there are. Before
  /// them comes a record of DPT_EVENT_LOST, when any were lost since the last time.
  Result<> poll(std::chrono::milliseconds timeout, Wait wait, std::span<const int> wake_fds,
                const Receiver& receive);
  /// Returns the CLOCK_MONOTONIC time before which no record is still to come.
  std::uint64_t complete_until() const { return complete_until_; }
  /// Returns how much DPT_EVENT_LOST has told of since begin(): records that found no room in the
  /// ring, and hits that the kernel kept from a program which was running.
  std::uint64_t lost() const { return lost_ - lost_before_; }
  /// Returns the part of lost() that the kernel kept from a program.
  std::uint64_t missed() const { return missed_ - missed_before_; }

  ProbeStates probes() const;
  /// Returns whether it is told what each socket of the node takes.
  bool sees_sockets() const { return families_->has("socket"); }
  /// Returns whether it is told which rules of nftables drop.
  bool sees_rules() const { return families_->has("nftables"); }
  /// Sets what is called when links of the own netns have changed, before the records that follow.
  void on_links(std::function<void()> on_links) { on_links_ = std::move(on_links); }
  /// The caller tells it the links of other network namespaces; Capture follows the links of the
  /// own one.
  TunnelPorts& tunnel_ports() { return *tunnel_ports_; }
  std::vector<std::string> take_warnings();
  /// The revision, as dpt_rule has it, that the rules of an xtables table have now. Rules that were
  /// read belong to a revision when it is the same before and after. `table` is dpt_rule::table.
  std::optional<std::uint64_t> revision_of(std::uint8_t family, std::uint64_t table) const {
    return families_->revision_of(family, table);
  }
  /// Probes the hook functions of modules that were loaded meanwhile.
  void follow_modules();

 private:
  explicit Capture(const CaptureSettings& settings);

  struct Gap {
    std::uint64_t since_ns;
    std::uint64_t until_ns;
    std::uint64_t records;  ///< records that were lost; 0: families were not attached
  };

  Result<> attach_devices(const CaptureSettings& settings, const KernelOffers& offers);
  /// Returns whether tracepoints see every device of every netns.
  bool sees_every_device() const;
  /// Returns why the kernel did not take a program; empty: it did.
  std::string refusal(const char* program) const;
  Result<> sees_anything() const;
  void count_lost();
  /// Returns false when `receive` wants no more.
  bool tell_lost(std::uint64_t begin_ns, const Receiver& receive);
  /// Tells the programs whether the reader sleeps. Returns how long it may wait: `timeout` or less.
  std::chrono::milliseconds fall_asleep(std::chrono::milliseconds timeout, Wait wait);
  void follow_links();
  void measure(std::uint64_t now_ns);
  /// These three return false when `receive` wants no more.
  bool shift_gear(const Receiver& receive);
  bool shift_hook_gear(const Receiver& receive);
  static bool tell_gap(const Gap& gap, const Receiver& receive);
  /// Forgets when something was last followed, once that is a while ago: packets that do not match
  /// cost less again.
  void forget_following();

  const std::vector<Address> pods_;
  LoadedObject object_;
  std::optional<Families> families_;
  Gearbox gearbox_;
  Gear gear_ = Gear::kArmed;  ///< the gear whose families are attached
  HookGear hook_gear_;
  bool may_let_hooks_go_ = false;
  Deciders deciders_;
  std::uint64_t hooks_asked_ns_ = 0;      ///< the last value of the programs' entries_asked_for
  std::uint64_t followed_ns_ = 0;         ///< the last value of the programs' `following`
  std::uint64_t not_armed_since_ns_ = 0;  ///< begin of the last time that not all was attached
  std::optional<TunnelPorts> tunnel_ports_;
  std::optional<Marks> marks_;
  std::unique_ptr<Devices> devices_;
  std::function<void()> on_links_ = [] {};
  std::unique_ptr<Ring> ring_;
  ProbeState tc_state_;
  std::vector<std::string> warnings_;
  std::uint64_t complete_until_ = 0;
  std::uint64_t lost_ = 0;           ///< the total when it was last counted
  std::uint64_t lost_before_ = 0;    ///< lost_ at begin()
  std::uint64_t missed_ = 0;         ///< part of lost_ that the kernel kept from a program
  std::uint64_t missed_before_ = 0;  ///< missed_ at begin()
  std::uint64_t lost_since_ns_ = 0;  ///< all that was lost before this time is in lost_
};

}  // namespace dptrace
