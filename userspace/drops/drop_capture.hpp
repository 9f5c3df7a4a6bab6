// A running drop-watch: every drop on the node is counted in the kernel by its kind; read() ends an
// interval. Nothing is lost between readings, however far apart they are.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <vector>

#include "attach/tunnel_ports.hpp"
#include "capture/probe.hpp"
#include "capture/ring.hpp"
#include "capture/settings.hpp"
#include "capture/skeleton.hpp"
#include "dptrace/drops.h"
#include "drops/drop_counts.hpp"
#include "model/address.hpp"
#include "model/result.hpp"
#include "node/kernel_btf.hpp"
#include "node/link_monitor.hpp"

namespace dptrace {

class DropCapture {
 public:
  using Receiver = Ring::Receiver;

  /// Of the settings, where to put tc programs means nothing here. `btf` is gone before programs
  /// are loaded, see Capture::start().
  static Result<std::unique_ptr<DropCapture>> load(const CaptureSettings& settings, KernelBtf btf);
  DropCapture(const DropCapture&) = delete;
  DropCapture& operator=(const DropCapture&) = delete;

  /// The addresses by which drops are told apart from now on. False: there are more than the kernel
  /// was given room for, and some are left out.
  bool set_pods(const std::set<Address>& pods);

  /// Network namespaces that root has made, of pods first: the others, which anybody may have made,
  /// get what those leave.
  void set_netns(const std::set<std::uint32_t>& netns);

  /// Functions that free packets for others: a kind's location is then in their caller. The first
  /// DPT_DROPS_HELPERS of them.
  void pass_over(const std::vector<dpt_range>& functions);

  /// Counts from now on; with the pods and functions that were set before.
  Result<> start();

  ProbeStates probes() const;

  /// To be told the links of other network namespaces.
  TunnelPorts& tunnel_ports() { return *tunnel_ports_; }
  /// Becomes readable when links of this netns change.
  int links_fd() const { return links_->fd(); }
  /// Tells the programs the tunnels' ports as they are now.
  void follow_links();

  /// Becomes readable when samples should be taken before the interval is over.
  int ring_fd() const { return ring_->fd(); }
  /// Hands over the samples there are.
  void take_samples(const Receiver& receive) { ring_->read(receive); }
  /// Ends the interval: what was counted in it, its samples to `receive`.
  Result<DropCounts> read(const Receiver& receive);
  /// As read(), but detaches first: exact to the last drop. To be followed by nothing.
  Result<DropCounts> stop(const Receiver& receive);

 private:
  DropCapture() = default;
  void read_links();
  int counts_map(std::uint32_t epoch) const;
  Result<> wait_for_programs();
  Result<> drain(std::uint32_t epoch, DropCounts& counts);
  void finish(DropCounts& counts, const Receiver& receive);
  DropCount uncounted();

  Skeleton skeleton_;
  BpfLink link_;
  BpfLink states_link_;
  BpfLink requests_link_;  ///< kernels without reasons only
  std::unique_ptr<Ring> ring_;
  std::optional<TunnelPorts> tunnel_ports_;
  std::optional<LinkMonitor> links_;
  OwnedFd grace_;  ///< an array of maps, see wait_for_programs()
  std::set<Address> pods_;
  std::set<std::uint32_t> netns_;
  std::uint64_t begin_ns_ = 0;
  bool is_filtered_ = false;
  DropCount uncounted_;             ///< as of the last reading
  std::uint64_t missed_ = 0;        ///< likewise
  std::uint64_t samples_lost_ = 0;  ///< likewise
  // Of one reading, kept for the next.
  std::vector<dpt_kind_key> keys_;
  std::vector<dpt_kind_count> values_;
};

}  // namespace dptrace
