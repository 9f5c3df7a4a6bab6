#include "capture/object.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "node/netns.hpp"

namespace dptrace {

namespace {

constexpr std::array<std::uint16_t, 2> kUsualVxlanPorts = {8472, 4789};
constexpr std::uint16_t kUsualGenevePort = 6081;
constexpr std::size_t kLogTail = 2000;

// libbpf talks through a plain function; what it said last explains a failure.
std::string& libbpf_log() {
  static std::string log;
  return log;
}

int keep_log(libbpf_print_level level, const char* format, va_list arguments) {
  if (level == LIBBPF_DEBUG) return 0;
  std::array<char, 4096> line{};
  const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
  auto& log = libbpf_log();
  log.append(line.data(), std::min<std::size_t>(std::max(length, 0), line.size() - 1));
  if (log.size() > 4 * kLogTail) log.erase(0, log.size() - 2 * kLogTail);
  return length;
}

std::string log_tail() {
  const auto& log = libbpf_log();
  return log.substr(log.size() > kLogTail ? log.size() - kLogTail : 0);
}

void configure(dptrace_bpf& skeleton, const CaptureSettings& settings, const NodeFacts& node,
               const KernelOffers& offers) {
  dpt_config config{};
  config.pod_count = static_cast<std::uint32_t>(settings.pods.size());
  config.peer_count = static_cast<std::uint32_t>(settings.peers.size());
  for (std::size_t i = 0; i < settings.pods.size(); ++i) config.pod[i] = settings.pods[i].bytes;
  for (std::size_t i = 0; i < settings.peers.size(); ++i) config.peer[i] = settings.peers[i].bytes;
  config.port = settings.port;
  config.any_protocol = !settings.protocol.has_value();
  config.protocol = settings.protocol.value_or(0);
  config.home_netns = node.home_netns;
  config.reads_directly = offers.direct_reads;
  config.has_drop_reason = offers.drop_reasons;
  config.geneve_port = node.geneve_port != 0 ? node.geneve_port : kUsualGenevePort;
  std::vector<std::uint16_t> ports(kUsualVxlanPorts.begin(), kUsualVxlanPorts.end());
  for (const auto port : node.vxlan_ports) {
    if (ports.size() < DPT_MAX_VXLAN_PORTS &&
        std::find(ports.begin(), ports.end(), port) == ports.end()) {
      ports.push_back(port);
    }
  }
  std::copy(ports.begin(), ports.end(), config.vxlan_ports);
  std::memcpy(&skeleton.rodata->config, &config, sizeof config);
  bpf_map__set_max_entries(skeleton.maps.ring, static_cast<std::uint32_t>(settings.ring_bytes));
}

NetworkPrograms choose_network_programs(const dptrace_bpf& skeleton, bool large) {
  const auto& programs = skeleton.progs;
  const NetworkPrograms chosen =
      large
          ? NetworkPrograms{programs.dptrace_l2_in, programs.dptrace_l2_out, programs.dptrace_l3_in,
                            programs.dptrace_l3_out, programs.on_socket_receive}
          : NetworkPrograms{programs.dptrace_l2_in_w, programs.dptrace_l2_out_w,
                            programs.dptrace_l3_in_w, programs.dptrace_l3_out_w,
                            programs.on_socket_receive_w};
  for (auto* program : {chosen.l2_in, chosen.l2_out, chosen.l3_in, chosen.l3_out, chosen.socket}) {
    bpf_program__set_autoload(program, true);
  }
  return chosen;
}

// Gives each function the cheapest program that the kernel has for it.
void place_hook_functions(LoadedObject& object, const KernelOffers& offers, const KernelBtf& btf,
                          const std::vector<HookFunction>& functions) {
  auto& skeleton = *object.skeleton;
  if (!offers.tracing_functions) return;
  bpf_program__set_autoload(skeleton.progs.on_nf_hook_slow, true);
  for (const auto& function : functions) {
    const std::size_t slot = object.by_fentry.size();
    auto* program = slot < DPT_HOOK_FUNCTIONS
                        ? bpf_object__find_program_by_name(
                              skeleton.obj, fmt::format("on_hook_function_{}", slot).c_str())
                        : nullptr;
    if (program != nullptr && btf.find_function(function.name) &&
        bpf_program__set_attach_target(program, 0, function.name.c_str()) == 0) {
      bpf_program__set_autoload(program, true);
      skeleton.rodata->hook_functions[slot] = function.address;
      object.by_fentry.push_back(function);
    } else if (offers.kprobes) {
      object.by_kprobe.push_back(function);
    }
  }
  // Also when there is none yet: modules are loaded later.
  if (offers.kprobes) bpf_program__set_autoload(skeleton.progs.on_hook_function, true);
}

Result<Skeleton> open_object() {
  libbpf_set_print(keep_log);
  libbpf_log().clear();
  Skeleton skeleton(dptrace_bpf::open());
  if (skeleton) return skeleton;
  return failure(fmt::format("opening the BPF object: {}\n{}", std::strerror(errno), log_tail()));
}

Result<> load(dptrace_bpf& skeleton) {
  const int error = dptrace_bpf::load(&skeleton);
  if (error == 0) return {};
  return failure(
      fmt::format("loading the BPF programs: {} (`dptrace check` tells what is missing)\n{}",
                  std::strerror(-error), log_tail()));
}

// What only one of the two, trace and watch, uses costs the other nothing.
void leave_out(std::initializer_list<bpf_map*> maps) {
  for (auto* map : maps) bpf_map__set_autocreate(map, false);
}

}  // namespace

NodeFacts node_facts(const std::vector<Link>& links) {
  NodeFacts facts;
  facts.home_netns = current_netns();
  for (const auto& link : links) {
    if (link.vxlan_port != 0) facts.vxlan_ports.push_back(link.vxlan_port);
    if (link.geneve_port != 0) facts.geneve_port = link.geneve_port;
  }
  return facts;
}

Result<Skeleton> load_watch(const CaptureSettings& settings, const NodeFacts& node,
                            const KernelOffers& offers) {
  auto skeleton = open_object();
  if (!skeleton) return skeleton;
  configure(**skeleton, settings, node, offers);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, (*skeleton)->obj) {
    bpf_program__set_autoload(program, program == (*skeleton)->progs.on_drop_watch);
  }
  leave_out({(*skeleton)->maps.followed, (*skeleton)->maps.dropped});
  if (auto loaded = load(**skeleton); !loaded) return tl::unexpected(loaded.error());
  return skeleton;
}

Result<LoadedObject> load_object(const CaptureSettings& settings, const NodeFacts& node,
                                 const KernelOffers& offers, const KernelBtf& btf,
                                 const std::vector<HookFunction>& functions) {
  auto skeleton = open_object();
  if (!skeleton) return tl::unexpected(skeleton.error());
  LoadedObject object{std::move(*skeleton), {}, {}, {}};
  configure(*object.skeleton, settings, node, offers);
  object.network = choose_network_programs(*object.skeleton, offers.large_network_programs);
  place_hook_functions(object, offers, btf, functions);
  const auto& maps = object.skeleton->maps;
  leave_out({maps.watch_counts_even, maps.watch_counts_odd, maps.watch_other, maps.watch_pods});
  if (auto loaded = load(*object.skeleton); !loaded) return tl::unexpected(loaded.error());
  return object;
}

}  // namespace dptrace
