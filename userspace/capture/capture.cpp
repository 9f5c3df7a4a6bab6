#include "capture/capture.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>

#include "capture/cgroup.hpp"
#include "capture/lost_events.hpp"

namespace dptrace {

namespace {

// As FOLLOW_NS in identity.bpf.h, and something more for records on their way.
constexpr std::uint64_t kForgetNs = 3'000'000'000;

constexpr const char* kNetfilterFacts =
    "netfilter hooks, their verdicts, and the function that decided";
constexpr const char* kSocketFacts = "which packets a TCP, UDP or raw socket took";

// Names alone: use counts change all the time.
std::string loaded_modules() {
  std::ifstream file("/proc/modules");
  std::string names, line;
  while (std::getline(file, line)) names += line.substr(0, line.find(' ')) + ' ';
  return names;
}

}  // namespace

Result<std::unique_ptr<Capture>> Capture::start(const CaptureSettings& settings,
                                                const KernelBtf& btf, SymbolsReading& symbols) {
  const auto links = read_links();
  if (!links) return tl::unexpected(links.error());
  auto offers = KernelOffers::ask(btf);
  // They are waited for as late as can be: before loading where programs are made for functions.
  std::vector<HookFunction> functions;
  if (offers.tracing_functions) {
    if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
    functions = hook_functions(*symbols.wait());
  }
  auto object = load_object(settings, node_facts(*links), offers, btf, functions);
  if (!object && offers.large_network_programs) {
    offers.large_network_programs = false;
    object = load_object(settings, node_facts(*links), offers, btf, functions);
  }
  if (!object && offers.tracing_functions) {
    // A probe that this kernel does not take costs its facts, never the trace.
    offers.tracing_functions = offers.kprobes = false;
    const auto& message = object.error().message;
    offers.tracing_refusal = message.substr(0, message.find('\n'));
    object = load_object(settings, node_facts(*links), offers, btf, {});
  }
  if (!object) return tl::unexpected(object.error());

  std::unique_ptr<Capture> capture(new Capture);
  capture->object_ = std::move(*object);
  // The ring is read from before anything writes to it; exits are attached before entries.
  auto ring = Ring::open(bpf_map__fd(capture->object_.skeleton->maps.ring));
  if (!ring) return tl::unexpected(ring.error());
  capture->ring_ = std::move(*ring);
  capture->attach_netfilter(offers);
  capture->attach_sockets();
  if (auto attached = capture->attach_tracepoints(); !attached)
    return tl::unexpected(attached.error());
  // clsact forks: no other thread may run then.
  if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
  if (auto attached = capture->attach_devices(settings, offers, links->size()); !attached) {
    return tl::unexpected(attached.error());
  }
  return capture;
}

Capture::~Capture() = default;

Result<> Capture::attach_tracepoints() {
  struct Tracepoint {
    bpf_program* program;
    const char* name;
    const char* facts;
  };
  const auto& programs = object_.skeleton->progs;
  const std::array<Tracepoint, 4> tracepoints = {{
      {programs.on_kfree_skb, "kfree_skb", "drops, with the kernel's reason where it has one"},
      {programs.on_consume_skb, "consume_skb", "packets that the kernel itself answers"},
      {programs.on_netif_receive_skb, "netif_receive_skb",
       "packets received by devices of every netns"},
      {programs.on_net_dev_start_xmit, "net_dev_start_xmit",
       "packets sent by devices of every netns"},
  }};
  for (const auto& tracepoint : tracepoints) {
    BpfLink link(bpf_program__attach(tracepoint.program));
    if (!link) {
      return failure(
          fmt::format("attaching to tracepoint {}: {}", tracepoint.name, std::strerror(errno)));
    }
    links_.push_back(std::move(link));
    probes_.push_back({tracepoint.name, "tp_btf", true, tracepoint.facts, {}});
  }
  return {};
}

void Capture::attach_sockets() {
  ProbeState state{"socket", "cgroup_skb", false, kSocketFacts, {}};
  if (const auto root = open_cgroup_root(); root) {
    if (BpfLink link(bpf_program__attach_cgroup(object_.network.socket, root->get())); link) {
      links_.push_back(std::move(link));
      state.attached = true;
    } else {
      state.why = fmt::format("attaching to the root cgroup: {}", std::strerror(errno));
    }
  } else {
    state.why = root.error().message;
  }
  probes_.push_back(std::move(state));
}

void Capture::attach_netfilter(const KernelOffers& offers) {
  ProbeState state{"nf_hook_slow", "fexit", false, kNetfilterFacts, {}};
  if (!offers.tracing_functions) {
    state.why =
        fmt::format("this kernel refuses fentry and fexit programs: {}", offers.tracing_refusal);
    probes_.push_back(std::move(state));
    return;
  }
  if (BpfLink link(bpf_program__attach(object_.skeleton->progs.on_nf_hook_slow)); link) {
    links_.push_back(std::move(link));
    state.attached = true;
  } else {
    state.why = std::strerror(errno);
  }
  probes_.push_back(std::move(state));
  for (std::size_t slot = 0; slot < object_.by_fentry.size(); ++slot) {
    auto* program = bpf_object__find_program_by_name(
        object_.skeleton->obj, fmt::format("on_hook_function_{}", slot).c_str());
    if (BpfLink link(bpf_program__attach(program)); link) links_.push_back(std::move(link));
  }
  for (const auto& function : object_.by_kprobe) attach_kprobe(function);
  modules_ = loaded_modules();
}

void Capture::attach_kprobe(const HookFunction& function) {
  if (BpfLink link(bpf_program__attach_kprobe(object_.skeleton->progs.on_hook_function, false,
                                              function.name.c_str()));
      link) {
    links_.push_back(std::move(link));
  } else {
    warnings_.push_back(fmt::format("what {} decides is told without its name: kprobe: {}",
                                    function.name, std::strerror(errno)));
  }
}

bool Capture::follow_modules() {
  if (bpf_program__fd(object_.skeleton->progs.on_hook_function) < 0) return false;
  auto modules = loaded_modules();
  if (modules == modules_) return false;
  modules_ = std::move(modules);
  const auto symbols = Symbols::load();
  if (!symbols) return false;
  const auto is_known = [](const std::vector<HookFunction>& list, const std::string& name) {
    return std::any_of(list.begin(), list.end(),
                       [&](const HookFunction& known) { return known.name == name; });
  };
  for (const auto& function : hook_functions(*symbols)) {
    if (is_known(object_.by_fentry, function.name) || is_known(object_.by_kprobe, function.name))
      continue;
    attach_kprobe(function);
    object_.by_kprobe.push_back(function);
  }
  return true;
}

Result<> Capture::attach_devices(const CaptureSettings& settings, const KernelOffers& offers,
                                 std::size_t links) {
  const auto& network = object_.network;
  const TcPrograms fds{bpf_program__fd(network.l2_in), bpf_program__fd(network.l2_out),
                       bpf_program__fd(network.l3_in), bpf_program__fd(network.l3_out)};
  auto tc = choose_tc(fds, offers.tcx, links);
  if (!tc) return tl::unexpected(tc.error());
  auto devices = Devices::start(std::move(*tc), settings.interfaces, object_.skeleton->bss->covered,
                                !settings.every_probe);
  if (!devices) return tl::unexpected(devices.error());
  devices_ = std::move(*devices);
  probes_.push_back({"tc",
                     std::string(devices_->mechanism()),
                     true,
                     fmt::format("{} devices of this network namespace, before their queues",
                                 devices_->attached()),
                     {}});
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
  if (ready > 0 && descriptors[1].revents != 0) devices_->follow();

  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  complete_until_ = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                    static_cast<std::uint64_t>(now.tv_nsec);
  forget_following();
  ring_->read(receive);
  return {};
}

void Capture::forget_following() {
  std::atomic_ref following(object_.skeleton->bss->following);
  auto since = following.load(std::memory_order_relaxed);
  if (since != 0 && complete_until_ > since + kForgetNs) {
    // Not if the programs have just renewed it.
    following.compare_exchange_strong(since, 0, std::memory_order_relaxed);
  }
}

std::uint64_t Capture::lost() const {
  return lost_events(bpf_map__fd(object_.skeleton->maps.counts));
}

std::vector<std::string> Capture::take_warnings() {
  auto warnings = devices_->take_warnings();
  warnings.insert(warnings.end(), warnings_.begin(), warnings_.end());
  warnings_.clear();
  return warnings;
}

}  // namespace dptrace
