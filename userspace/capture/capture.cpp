#include "capture/capture.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "attach/cgroup.hpp"
#include "capture/lost_events.hpp"
#include "dptrace/event.h"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// As BELIEF_NS in identity.bpf.h, and something more for records on their way.
constexpr std::uint64_t kForgetNs = 36'000'000'000;

constexpr const char* kNetfilterFacts =
    "netfilter hooks, their verdicts, and the function that decided";
constexpr const char* kIpsecFacts = "packets that IPsec takes, to send them encrypted";
constexpr const char* kFunctionFacts = "which function decided at a netfilter hook";
constexpr std::array<std::string_view, 2> kDevicePoints = {"netif_receive_skb",
                                                           "net_dev_start_xmit"};
constexpr const char* kSocketProbe = "socket";
constexpr const char* kSocketFacts = "which packets a TCP, UDP or raw socket took";

}  // namespace

Result<std::unique_ptr<Capture>> Capture::start(const CaptureSettings& settings,
                                                const KernelBtf& btf, SymbolsReading& symbols) {
  auto offers = KernelOffers::ask(btf);
  // They are waited for as late as can be: before loading where programs are made for functions.
  std::vector<HookFunction> functions;
  if (offers.tracing_functions) {
    if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
    functions = hook_functions(*symbols.wait());
  }
  auto object = load_object(settings, offers, btf, functions);
  if (!object) return tl::unexpected(object.error());

  std::unique_ptr<Capture> capture(new Capture);
  capture->object_ = std::move(*object);
  auto* data = capture->object_.skeleton->bss;
  capture->marks_.emplace(data->marks);
  capture->tunnel_ports_.emplace(data->tunnel_ports, &data->tunnel_ports_told);
  // The ring is read from before anything writes to it; exits are attached before entries.
  auto ring = Ring::open(bpf_map__fd(capture->object_.skeleton->maps.ring));
  if (!ring) return tl::unexpected(ring.error());
  capture->ring_ = std::move(*ring);
  capture->attach_netfilter(offers);
  capture->attach_ipsec(offers);
  capture->attach_sockets();
  capture->attach_tracepoints();
  // clsact forks: no other thread may run then.
  if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
  if (auto attached = capture->attach_devices(settings, offers); !attached) {
    return tl::unexpected(attached.error());
  }
  if (auto seeing = capture->sees_anything(); !seeing) return tl::unexpected(seeing.error());
  return capture;
}

Capture::~Capture() = default;

std::string Capture::refusal(const char* program) const {
  const auto found = object_.refusals.find(program);
  return found == object_.refusals.end() ? "" : found->second;
}

void Capture::attach_tracepoints() {
  struct Tracepoint {
    const char* program;
    const char* name;
    const char* facts;
  };
  constexpr std::array<Tracepoint, 4> kTracepoints = {{
      {"dptrace_free", "kfree_skb", "drops, with the kernel's reason where it has one"},
      {"dptrace_consume", "consume_skb", "packets that the kernel itself answers"},
      {"dptrace_receive", "netif_receive_skb", "packets received by devices of every netns"},
      {"dptrace_xmit", "net_dev_start_xmit", "packets sent by devices of every netns"},
  }};
  for (const auto& tracepoint : kTracepoints) {
    ProbeState state{tracepoint.name, "tp_btf", false, tracepoint.facts,
                     refusal(tracepoint.program)};
    if (state.why.empty()) {
      const auto* program =
          bpf_object__find_program_by_name(object_.skeleton->obj, tracepoint.program);
      if (BpfLink link(bpf_program__attach(program)); link) {
        links_.push_back(std::move(link));
        state.attached = true;
      } else {
        state.why = fmt::format("attaching to the tracepoint: {}", std::strerror(errno));
      }
    }
    probes_.push_back(std::move(state));
  }
}

Result<> Capture::sees_anything() const {
  std::string why;
  for (const auto& probe : probes_) {
    const bool is_tracepoint = probe.mechanism == "tp_btf";
    if (!is_tracepoint && probe.name != "tc") continue;
    if (probe.attached && (is_tracepoint || devices_->attached() > 0)) return {};
    if (!probe.why.empty()) why += fmt::format("\n  {}: {}", probe.name, probe.why);
  }
  return failure(fmt::format(
      "nothing can be seen here: neither tc programs nor tracepoints can be attached{}", why));
}

bool Capture::sees_every_device() const {
  return std::all_of(kDevicePoints.begin(), kDevicePoints.end(), [&](std::string_view point) {
    return std::any_of(probes_.begin(), probes_.end(), [&](const ProbeState& probe) {
      return probe.name == point && probe.attached;
    });
  });
}

bool Capture::sees_sockets() const {
  return std::any_of(probes_.begin(), probes_.end(), [](const ProbeState& probe) {
    return probe.name == kSocketProbe && probe.attached;
  });
}

void Capture::attach_sockets() {
  ProbeState state{kSocketProbe, "cgroup_skb", false, kSocketFacts, {}};
  if (object_.network.socket == nullptr) {
    state.why = refusal("dptrace_sock_w");
  } else if (const auto root = open_cgroup_root(); root) {
    if (BpfLink link(bpf_program__attach_cgroup(object_.network.socket, root->directory.get()));
        link) {
      links_.push_back(std::move(link));
      state.attached = root->narrower.empty();
      state.why = root->narrower;
    } else {
      state.why = fmt::format("attaching to the root cgroup: {}", std::strerror(errno));
    }
  } else {
    state.why = root.error().message;
  }
  probes_.push_back(std::move(state));
}

void Capture::attach_netfilter(const KernelOffers& offers) {
  attach_to_function(offers, object_.skeleton->progs.dptrace_nf_slow,
                     {"nf_hook_slow", "fexit", false, kNetfilterFacts, {}});
  if (probes_.back().attached) attach_hook_functions();
}

void Capture::attach_ipsec(const KernelOffers& offers) {
  attach_to_function(offers, object_.skeleton->progs.dptrace_ipsec,
                     {"xfrm_output", "fentry", false, kIpsecFacts, {}});
}

void Capture::attach_to_function(const KernelOffers& offers, bpf_program* program,
                                 ProbeState state) {
  state.why = offers.tracing_functions
                  ? refusal(bpf_program__name(program))
                  : fmt::format("this kernel refuses fentry and fexit programs: {}",
                                offers.tracing_refusal);
  if (state.why.empty() && bpf_program__fd(program) < 0)
    state.why = "this kernel has no such function";
  if (state.why.empty()) {
    if (BpfLink link(bpf_program__attach(program)); link) {
      links_.push_back(std::move(link));
      state.attached = true;
    } else {
      state.why = fmt::format("attaching to the function: {}", std::strerror(errno));
    }
  }
  probes_.push_back(std::move(state));
}

void Capture::attach_hook_functions() {
  for (std::size_t slot = 0; slot < object_.by_fentry.size(); ++slot) {
    const auto& function = object_.by_fentry[slot];
    auto* program = bpf_object__find_program_by_name(object_.skeleton->obj,
                                                     fmt::format("dptrace_hook_{}", slot).c_str());
    if (BpfLink link(bpf_program__attach(program)); link) {
      links_.push_back(std::move(link));
      note_probed(function);
    } else {
      object_.by_kprobe.push_back(function);
    }
  }
  ProbeState state{"hook functions", "fentry, kprobe", false, kFunctionFacts, {}};
  for (const auto& function : object_.by_kprobe) {
    if (const auto why = attach_kprobe(function); !why.empty() && state.why.empty())
      state.why = fmt::format("not those of {}: {}", function.name, why);
  }
  state.attached = state.why.empty();
  probes_.push_back(std::move(state));
  modules_ = loaded_modules();
}

std::string Capture::attach_kprobe(const HookFunction& function) {
  if (bpf_program__fd(object_.skeleton->progs.dptrace_hook) < 0) {
    const auto refused = refusal("dptrace_hook");
    return refused.empty() ? "this kernel has neither fentry nor kprobes for it" : refused;
  }
  BpfLink link(bpf_program__attach_kprobe(object_.skeleton->progs.dptrace_hook, false,
                                          function.name.c_str()));
  if (!link) return fmt::format("kprobe: {}", std::strerror(errno));
  links_.push_back(std::move(link));
  note_probed(function);
  return {};
}

void Capture::note_probed(const HookFunction& function) {
  // Without it, what this function or one before it decides is told without a name.
  const std::uint8_t is_probed = 1;
  bpf_map_update_elem(bpf_map__fd(object_.skeleton->maps.probed), &function.address, &is_probed,
                      BPF_ANY);
}

void Capture::follow_modules() {
  if (bpf_program__fd(object_.skeleton->progs.dptrace_hook) < 0) return;
  auto modules = loaded_modules();
  if (modules == modules_) return;
  modules_ = std::move(modules);
  const auto symbols = Symbols::load();
  if (!symbols) return;
  const auto is_known = [](const std::vector<HookFunction>& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(),
                       [&](const HookFunction& known) { return known.name == name; });
  };
  for (const auto& function : hook_functions(*symbols)) {
    if (is_known(object_.by_fentry, function.name) || is_known(object_.by_kprobe, function.name))
      continue;
    if (const auto why = attach_kprobe(function); !why.empty())
      warnings_.push_back(
          fmt::format("what {} decides is told without its name: {}", function.name, why));
    object_.by_kprobe.push_back(function);
  }
}

Result<> Capture::attach_devices(const CaptureSettings& settings, const KernelOffers& offers) {
  const auto& network = object_.network;
  ProbeState state{"tc", offers.tcx ? "tcx" : "clsact", false, {}, {}};
  std::unique_ptr<Tc> tc;
  if (network.l2_in == nullptr) {
    for (const auto* program :
         {"dptrace_l2_in_w", "dptrace_l2_out_w", "dptrace_l3_in_w", "dptrace_l3_out_w"})
      if (state.why.empty()) state.why = refusal(program);
  } else {
    const TcPrograms fds{bpf_program__fd(network.l2_in), bpf_program__fd(network.l2_out),
                         bpf_program__fd(network.l3_in), bpf_program__fd(network.l3_out)};
    tc = offers.tcx ? make_tcx(fds) : make_clsact(fds);
    if (settings.load_all) state.why = tc->trial();
  }
  // What a dptrace left that was killed.
  if (const auto removed = remove_stale_filters(); !removed && state.why.empty())
    state.why = removed.error().message;
  auto devices = Devices::start(std::move(tc),
                                {.patterns = settings.interfaces,
                                 .mark_covered = !settings.every_probe,
                                 .alone = !sees_every_device()},
                                HomeDevices(object_.skeleton->bss->home), *tunnel_ports_);
  if (!devices) return tl::unexpected(devices.error());
  devices_ = std::move(*devices);
  const std::size_t attached = devices_->attached();
  if (state.why.empty() && attached == 0) state.why = devices_->first_refusal();
  state.attached = state.why.empty();
  if (!state.attached) {
    state.facts = "devices of this network namespace, before their queues";
  } else if (attached == 0 && !offers.tcx) {
    state.facts =
        "the devices that --interface names, before their queues (without packets lost: "
        "those with a clsact qdisc)";
  } else {
    state.facts = fmt::format("{} of {} devices of this network namespace, before their queues",
                              attached, devices_->wanted());
  }
  probes_.push_back(std::move(state));
  return {};
}

Result<> Capture::poll(std::chrono::milliseconds timeout, Wait wait, int wake_fd,
                       const Receiver& receive) {
  std::atomic_ref sleeps(object_.skeleton->bss->reader_sleeps);
  sleeps.store(wait == Wait::kForOne ? 1 : 0);
  // One that was written before it could know will not wake anybody.
  if (wait == Wait::kForOne && !ring_->empty()) timeout = timeout.zero();
  std::array<pollfd, 3> descriptors = {
      {{ring_->fd(), POLLIN, 0}, {devices_->fd(), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  const int ready =
      ::poll(descriptors.data(), descriptors.size(), static_cast<int>(timeout.count()));
  if (ready < 0 && errno != EINTR)
    return failure(fmt::format("waiting for events: {}", std::strerror(errno)));
  if (ready > 0 && descriptors[1].revents != 0 && devices_->follow()) on_links_();

  complete_until_ = monotonic_ns();
  forget_following();
  if (tell_lost(complete_until_, receive)) ring_->read(receive);
  return {};
}

void Capture::begin(const Receiver& receive) {
  lost_since_ns_ = monotonic_ns();
  count_lost();
  lost_before_ = lost_;
  missed_before_ = missed_;
  ring_->read([&](std::span<const std::byte> record) {
    dpt_event event{};
    if (record.size() >= sizeof event) std::memcpy(&event, record.data(), sizeof event);
    return event.kind != DPT_EVENT_DEVICE || receive(record);
  });
}

void Capture::count_lost() {
  missed_ = missed_runs(*object_.skeleton->obj);
  lost_ = lost_events(bpf_map__fd(object_.skeleton->maps.counts)) + missed_;
}

// What was lost after the count is told the next time, with a beginning that is before it.
bool Capture::tell_lost(std::uint64_t begin_ns, const Receiver& receive) {
  const std::uint64_t lost_before = lost_;
  count_lost();
  const std::uint64_t records = lost_ - lost_before;
  const std::uint64_t since_ns = std::exchange(lost_since_ns_, begin_ns);
  if (records == 0) return true;
  dpt_lost lost{};
  lost.event = {DPT_EVENT_LOST, sizeof lost, 0, monotonic_ns()};
  lost.since_ns = since_ns;
  lost.records = records;
  return receive(std::as_bytes(std::span(&lost, 1)));
}

void Capture::forget_following() {
  auto* data = object_.skeleton->bss;
  for (auto* since_ns : {&data->following, &data->translated_since}) {
    std::atomic_ref shared(*since_ns);
    // Not if the programs have just renewed it.
    if (auto since = shared.load(std::memory_order_relaxed);
        since != 0 && complete_until_ > since + kForgetNs)
      shared.compare_exchange_strong(since, 0, std::memory_order_relaxed);
  }
  marks_->fade(complete_until_, kForgetNs);
}

std::vector<std::string> Capture::take_warnings() {
  auto warnings = devices_->take_warnings();
  warnings.insert(warnings.end(), warnings_.begin(), warnings_.end());
  warnings_.clear();
  return warnings;
}

}  // namespace dptrace
