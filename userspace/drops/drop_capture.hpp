// A DropCapture is a running drop-watch: every drop on the node is counted in the kernel by its
// kind, and read() ends an interval. Nothing is lost between readings, however far apart they are.
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

  /// The settings about tc programs mean nothing here. `btf` is gone before programs are loaded,
  /// see Capture::start().
  static Result<std::unique_ptr<DropCapture>> load(const CaptureSettings& settings, KernelBtf btf);
  DropCapture(const DropCapture&) = delete;
  DropCapture& operator=(const DropCapture&) = delete;

  /// Sets the addresses by which drops are told apart from now on. Returns false when there are
  /// more than the kernel was given room for: then some are left out.
  bool set_pods(const std::set<Address>& pods);

  /// Sets the network namespaces that root has made, those of pods first. Other namespaces, which
  /// anybody may have made, get the share that these leave.
  void set_netns(const std::set<std::uint32_t>& netns);

  /// Sets functions that free packets for others: a kind's location is then in their caller. Only
  /// the first DPT_DROPS_HELPERS functions are used.
  void pass_over(const std::vector<dpt_range>& functions);

  /// Counts from now on, with the pods and functions that were set before.
  Result<> start();

  ProbeStates probes() const;

  /// The caller tells it the links of other network namespaces.
  TunnelPorts& tunnel_ports() { return *tunnel_ports_; }
  /// The descriptor becomes readable when links of this netns change.
  int links_fd() const { return links_->fd(); }
  /// Tells the programs the tunnels' ports as they are now.
  void follow_links();

  /// The descriptor becomes readable when samples should be taken before the interval is over.
  int ring_fd() const { return ring_->fd(); }
  /// Hands over the samples that there are.
  void take_samples(const Receiver& receive) { ring_->read(receive); }
  /// Ends the interval. Returns what was counted in it, and hands its samples to `receive`.
  Result<DropCounts> read(const Receiver& receive);
  /// Does what read() does, but detaches first: the counts are exact to the last drop. Nothing may
  /// be called after it.
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
  BpfLink requests_link_;  ///< only on kernels without reasons
  std::unique_ptr<Ring> ring_;
  std::optional<TunnelPorts> tunnel_ports_;
  std::optional<LinkMonitor> links_;
  OwnedFd grace_;  ///< an array of maps, see wait_for_programs()
  std::set<Address> pods_;
  std::set<std::uint32_t> netns_;
  std::uint64_t begin_ns_ = 0;
  bool is_filtered_ = false;
  DropCount uncounted_;             ///< as of the last reading
  std::uint64_t missed_ = 0;        ///< as of the last reading
  std::uint64_t samples_lost_ = 0;  ///< as of the last reading
  // These hold what one reading reads, and are kept for the next.
  std::vector<dpt_kind_key> keys_;
  std::vector<dpt_kind_count> values_;
};

}  // namespace dptrace
