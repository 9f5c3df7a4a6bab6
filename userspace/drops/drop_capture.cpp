#include "drops/drop_capture.hpp"

#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "capture/lost_events.hpp"
#include "capture/object.hpp"
#include "node/netns.hpp"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// One system call reads so many kinds.
constexpr std::uint32_t kBatch = 256;

std::size_t cpus() { return static_cast<std::size_t>(libbpf_num_possible_cpus()); }

DropKind kind_of(const dpt_kind_key& key) {
  DropKind kind;
  if ((key.flags & DPT_KIND_HAS_REASON) != 0) kind.reason = key.reason;
  kind.location = key.location;
  kind.interface = {key.netns, key.ifindex};
  kind.family = key.family;
  if (key.family != 0) {
    kind.protocol = key.of.ip.protocol;
    const auto& of = key.of.ip.of;
    if (kind.protocol == IPPROTO_TCP) {
      kind.segment = static_cast<dpt_segment>(of.segment);
    } else {
      kind.icmp_type = of.icmp_type;
    }
  } else {
    kind.ethertype = __builtin_bswap16(key.of.ethertype);
  }
  kind.multicast = (key.flags & DPT_KIND_MULTICAST) != 0;
  kind.flooded = (key.flags & DPT_KIND_FLOODED) != 0;
  kind.over = (key.flags & DPT_KIND_OVER) != 0;
  kind.half_open = (key.flags & DPT_KIND_HALF_OPEN) != 0;
  kind.packet_type = key.packet_type;
  kind.folded = key.location == 0;
  if (const Address pod(key.pod); pod != Address()) kind.pod = pod;
  return kind;
}

DropCount sum_of(const dpt_kind_count* per_cpu, std::size_t count) {
  DropCount sum;
  for (std::size_t i = 0; i < count; ++i) sum += {per_cpu[i].packets, per_cpu[i].bytes};
  return sum;
}

}  // namespace

Result<std::unique_ptr<DropCapture>> DropCapture::load(const CaptureSettings& settings,
                                                       KernelBtf btf) {
  auto links = LinkMonitor::start();
  if (!links) return tl::unexpected(links.error());
  std::optional<KernelBtf> types(std::move(btf));
  const auto offers = KernelOffers::ask(*types);
  types.reset();
  auto skeleton = load_watch(settings, offers);
  if (!skeleton) return tl::unexpected(skeleton.error());
  std::unique_ptr<DropCapture> watch(new DropCapture);
  watch->skeleton_ = std::move(*skeleton);
  watch->is_filtered_ = !settings.pods.empty() || !settings.peers.empty() || settings.port != 0 ||
                        settings.protocol.has_value();
  const auto& maps = watch->skeleton_->maps;
  auto* data = watch->skeleton_->bss;
  watch->tunnel_ports_.emplace(data->tunnel_ports, &data->tunnel_ports_told);
  watch->links_.emplace(std::move(*links));
  watch->read_links();

  auto ring = Ring::open(bpf_map__fd(maps.ring));
  if (!ring) return tl::unexpected(ring.error());
  watch->ring_ = std::move(*ring);
  LIBBPF_OPTS(bpf_map_create_opts, options,
              .inner_map_fd = static_cast<__u32>(bpf_map__fd(maps.watch_other)));
  watch->grace_ =
      OwnedFd(bpf_map_create(BPF_MAP_TYPE_ARRAY_OF_MAPS, "dptrace_grace", sizeof(std::uint32_t),
                             sizeof(std::uint32_t), 1, &options));
  if (!watch->grace_)
    return failure(fmt::format("creating an array of BPF maps: {}", std::strerror(errno)));
  watch->keys_.resize(kBatch);
  watch->values_.resize(kBatch * cpus());

  return watch;
}

void DropCapture::follow_links() {
  bool changed = false;
  changed |= !links_->drain([&](const LinkChange&) { changed = true; });
  if (changed) read_links();
}

void DropCapture::read_links() {
  if (const auto links = dptrace::read_links()) tunnel_ports_->set(current_netns(), *links);
}

ProbeStates DropCapture::probes() const {
  ProbeStates probes{{"kfree_skb", "tp_btf", link_ != nullptr, "every drop", {}},
                     {"inet_sock_set_state",
                      "tp_btf",
                      states_link_ != nullptr,
                      "what was under way to a TCP connection that had closed",
                      {}}};
  if (!skeleton_->rodata->config.has_drop_reason) {
    probes.push_back({"inet_rtx_syn_ack",
                      "fentry",
                      requests_link_ != nullptr,
                      "repeated SYNs that a half-open connection has taken",
                      {}});
  }
  return probes;
}

void DropCapture::pass_over(const std::vector<dpt_range>& functions) {
  auto& bss = *skeleton_->bss;
  const auto count = std::min<std::size_t>(functions.size(), DPT_DROPS_HELPERS);
  std::copy_n(functions.begin(), count, bss.watch_helpers);
  bss.watch_helper_count = static_cast<std::uint32_t>(count);
}

Result<> DropCapture::start() {
  begin_ns_ = monotonic_ns();
  auto* states = skeleton_->progs.dptrace_tcp;
  if (bpf_program__fd(states) >= 0) states_link_.reset(bpf_program__attach(states));
  auto* requests = skeleton_->progs.dptrace_syn_ack;
  if (bpf_program__fd(requests) >= 0) requests_link_.reset(bpf_program__attach(requests));
  link_.reset(bpf_program__attach(skeleton_->progs.dptrace_watch));
  if (link_) return {};
  return failure(fmt::format("attaching to tracepoint kfree_skb: {}", std::strerror(errno)));
}

bool DropCapture::set_pods(const std::set<Address>& pods) {
  const int map = bpf_map__fd(skeleton_->maps.watch_pods);
  const std::uint8_t one = 1;
  for (const auto& address : pods_) {
    if (!pods.contains(address)) bpf_map_delete_elem(map, &address.bytes);
  }
  bool has_room = true;
  for (const auto& address : pods) {
    if (!pods_.contains(address))
      has_room = bpf_map_update_elem(map, &address.bytes, &one, BPF_ANY) == 0 && has_room;
  }
  pods_ = pods;
  skeleton_->bss->watch_has_pods = pods.empty() ? 0 : 1;
  return has_room;
}

void DropCapture::set_netns(const std::set<std::uint32_t>& netns) {
  const int map = bpf_map__fd(skeleton_->maps.watch_netns);
  const std::uint8_t one = 1;
  for (const auto inode : netns_) {
    if (!netns.contains(inode)) bpf_map_delete_elem(map, &inode);
  }
  // A netns for which there is no room has the share of a stranger.
  for (const auto inode : netns) {
    if (!netns_.contains(inode)) bpf_map_update_elem(map, &inode, &one, BPF_ANY);
  }
  netns_ = netns;
}

int DropCapture::counts_map(std::uint32_t epoch) const {
  const auto& maps = skeleton_->maps;
  return bpf_map__fd((epoch & 1) != 0 ? maps.watch_counts_odd : maps.watch_counts_even);
}

// Waits until all programs have ended that are running now. They have when the system call that
// writes to an array of maps returns (5.0): the kernel waits for the sake of those who then take
// the old map for unused, as is done here.
Result<> DropCapture::wait_for_programs() {
  const std::uint32_t zero = 0;
  const int map = bpf_map__fd(skeleton_->maps.watch_other);
  if (bpf_map_update_elem(grace_.get(), &zero, &map, BPF_ANY) == 0) return {};
  return failure(fmt::format("writing to an array of BPF maps: {}", std::strerror(errno)));
}

// Reads and empties a map that no program uses.
Result<> DropCapture::drain(std::uint32_t epoch, DropCounts& counts) {
  const int map = counts_map(epoch);
  const std::size_t width = cpus();
  std::uint32_t position = 0;
  bool is_first = true, is_last = false;
  while (!is_last) {
    std::uint32_t count = kBatch;
    const int error =
        bpf_map_lookup_and_delete_batch(map, is_first ? nullptr : &position, &position,
                                        keys_.data(), values_.data(), &count, nullptr);
    if (error != 0 && error != -ENOENT)
      return failure(fmt::format("reading the counts of drops: {}", std::strerror(-error)));
    is_last = error == -ENOENT;
    is_first = false;
    for (std::uint32_t i = 0; i < count; ++i) {
      counts.kinds.push_back(
          {kind_of(keys_[i]), dpt_kind_hash(&keys_[i]), sum_of(&values_[i * width], width)});
    }
  }
  std::atomic_ref<std::uint32_t>(skeleton_->bss->watch_strangers[epoch & 1]).store(0);
  return {};
}

DropCount DropCapture::uncounted() {
  std::vector<dpt_kind_count> per_cpu(cpus());
  const std::uint32_t zero = 0;
  DropCount sum;
  if (bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.watch_other), &zero, per_cpu.data()) == 0)
    sum = sum_of(per_cpu.data(), per_cpu.size());
  return sum;
}

void DropCapture::finish(DropCounts& counts, const Receiver& receive) {
  const DropCount uncounted_now = uncounted();
  counts.other = {uncounted_now.packets - uncounted_.packets,
                  uncounted_now.bytes - uncounted_.bytes};
  uncounted_ = uncounted_now;
  const std::uint64_t missed_now = missed_runs(bpf_program__fd(skeleton_->progs.dptrace_watch));
  (is_filtered_ ? counts.not_examined : counts.other.packets) += missed_now - missed_;
  missed_ = missed_now;
  const std::uint64_t lost = lost_events(bpf_map__fd(skeleton_->maps.counts));
  counts.samples_lost = lost - samples_lost_;
  samples_lost_ = lost;
  ring_->read(receive);
}

Result<DropCounts> DropCapture::read(const Receiver& receive) {
  std::atomic_ref<std::uint32_t> epoch(skeleton_->bss->watch_epoch);
  const std::uint32_t retired = epoch.fetch_add(1);
  DropCounts counts;
  counts.begin_ns = begin_ns_;
  counts.end_ns = begin_ns_ = monotonic_ns();
  if (auto waited = wait_for_programs(); !waited) return tl::unexpected(waited.error());
  if (auto drained = drain(retired, counts); !drained) return tl::unexpected(drained.error());
  finish(counts, receive);
  return counts;
}

Result<DropCounts> DropCapture::stop(const Receiver& receive) {
  link_.reset();
  states_link_.reset();
  requests_link_.reset();
  DropCounts counts;
  counts.begin_ns = begin_ns_;
  counts.end_ns = begin_ns_ = monotonic_ns();
  if (auto waited = wait_for_programs(); !waited) return tl::unexpected(waited.error());
  // The other map is empty: no program could still write to it when it was drained.
  if (auto drained = drain(skeleton_->bss->watch_epoch, counts); !drained)
    return tl::unexpected(drained.error());
  finish(counts, receive);
  return counts;
}

}  // namespace dptrace
