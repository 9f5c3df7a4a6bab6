#include "capture/object.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "attach/clsact_qdisc.hpp"
#include "capture/nft_probes.hpp"
#include "node/links.hpp"
#include "node/netns.hpp"

namespace dptrace {

namespace {

constexpr std::size_t kLogTail = 2000;
constexpr std::string_view kOnHookFunction = "dptrace_hook_";

// libbpf talks through a plain function; the last that it said explains a failure.
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

bool is_refused(const Refusals& refusals, const bpf_program* program) {
  return refusals.contains(bpf_program__name(program));
}

bool sees_devices(const dptrace_bpf& skeleton, const Refusals& refusals) {
  const auto& programs = skeleton.progs;
  return !is_refused(refusals, programs.dptrace_receive) &&
         !is_refused(refusals, programs.dptrace_xmit);
}

void configure(dptrace_bpf& skeleton, const CaptureSettings& settings, const KernelOffers& offers,
               const Refusals& refusals) {
  dpt_config config{};
  config.pod_count = static_cast<std::uint32_t>(settings.pods.size());
  config.peer_count = static_cast<std::uint32_t>(settings.peers.size());
  for (std::size_t i = 0; i < settings.pods.size(); ++i) config.pod[i] = settings.pods[i].bytes;
  for (std::size_t i = 0; i < settings.peers.size(); ++i) config.peer[i] = settings.peers[i].bytes;
  config.port = settings.port;
  config.any_protocol = !settings.protocol.has_value();
  config.protocol = settings.protocol.value_or(0);
  config.home_netns = current_netns();
  config.reads_directly = offers.direct_reads;
  config.has_drop_reason = offers.drop_reasons;
  config.casts = offers.casts;
  config.sees_devices = sees_devices(skeleton, refusals);
  config.one_processor = libbpf_num_possible_cpus() == 1;
  config.has_consume_location = offers.consume_locations;
  std::memcpy(&skeleton.rodata->config, &config, sizeof config);
  bpf_map__set_max_entries(skeleton.maps.ring, static_cast<std::uint32_t>(settings.ring_bytes));
}

// Returns whether the tc programs are loaded. They are not where every device would need a new
// qdisc: making one would cost the node packets, see Devices.
bool wants_tc(const dptrace_bpf& skeleton, const CaptureSettings& settings,
              const KernelOffers& offers, const Refusals& refusals) {
  if (offers.tcx || settings.load_all || !settings.interfaces.empty()) return true;
  if (!sees_devices(skeleton, refusals)) return true;
  const auto devices = devices_with_clsact();
  return devices && !devices->empty();
}

// Returns whether the programs for devices without a link header are loaded: to verify them takes a
// sixth of the start, and few nodes have such devices.
bool wants_l3(const dptrace_bpf& skeleton, const CaptureSettings& settings,
              const Refusals& refusals) {
  if (settings.load_all || !settings.interfaces.empty()) return true;
  if (!sees_devices(skeleton, refusals)) return true;
  const auto links = read_links();
  return !links || std::any_of(links->begin(), links->end(),
                               [](const Link& link) { return !link.has_link_header(); });
}

NetworkPrograms choose_network_programs(const dptrace_bpf& skeleton, bool large, bool with_tc,
                                        bool with_l3, const Refusals& refusals) {
  const auto& programs = skeleton.progs;
  NetworkPrograms chosen =
      large
          ? NetworkPrograms{programs.dptrace_l2_in, programs.dptrace_l2_out, programs.dptrace_l3_in,
                            programs.dptrace_l3_out, programs.dptrace_sock}
          : NetworkPrograms{programs.dptrace_l2_in_w, programs.dptrace_l2_out_w,
                            programs.dptrace_l3_in_w, programs.dptrace_l3_out_w,
                            programs.dptrace_sock_w};
  const auto tc = {chosen.l2_in, chosen.l2_out, chosen.l3_in, chosen.l3_out};
  if (!with_tc || std::any_of(tc.begin(), tc.end(), [&](const bpf_program* program) {
        return is_refused(refusals, program);
      })) {
    chosen.l2_in = chosen.l2_out = chosen.l3_in = chosen.l3_out = nullptr;
  }
  if (!with_l3) chosen.l3_in = chosen.l3_out = nullptr;
  if (is_refused(refusals, chosen.socket)) chosen.socket = nullptr;
  for (auto* program : {chosen.l2_in, chosen.l2_out, chosen.l3_in, chosen.l3_out, chosen.socket}) {
    if (program != nullptr) bpf_program__set_autoload(program, true);
  }
  return chosen;
}

bool is_large(const dptrace_bpf& skeleton, std::string_view name) {
  const auto& programs = skeleton.progs;
  const auto large = {programs.dptrace_l2_in, programs.dptrace_l2_out, programs.dptrace_l3_in,
                      programs.dptrace_l3_out, programs.dptrace_sock};
  return std::any_of(large.begin(), large.end(), [&](const bpf_program* program) {
    return bpf_program__name(program) == name;
  });
}

// Gives each function the cheapest program that the kernel has for it.
void place_hook_functions(LoadedObject& object, const KernelOffers& offers,
                          const std::vector<HookFunction>& hooks) {
  auto& skeleton = *object.skeleton;
  const auto& refusals = object.refusals;
  // Without the program at nf_hook_slow, those at hook functions would tell nothing.
  if (!offers.tracing_functions || is_refused(refusals, skeleton.progs.dptrace_nf_slow)) return;
  bpf_program__set_autoload(skeleton.progs.dptrace_nf_slow, true);
  const bool kprobes = offers.kprobes && !is_refused(refusals, skeleton.progs.dptrace_hook);
  for (const auto& function : hooks) {
    const std::size_t slot = object.by_fentry.size();
    auto* program = slot < DPT_HOOK_FUNCTIONS
                        ? bpf_object__find_program_by_name(
                              skeleton.obj, fmt::format("{}{}", kOnHookFunction, slot).c_str())
                        : nullptr;
    if (program != nullptr && !refusals.contains(function.name) && function.has_btf &&
        bpf_program__set_attach_target(program, 0, function.name.c_str()) == 0) {
      bpf_program__set_autoload(program, true);
      skeleton.rodata->hook_functions[slot] = function.address;
      object.by_fentry.push_back(function);
    } else if (kprobes) {
      object.by_kprobe.push_back(function);
    }
  }
  // The kprobe program is loaded although no function may need it yet: modules are loaded later.
  if (kprobes) bpf_program__set_autoload(skeleton.progs.dptrace_hook, true);
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

// Maps that only the trace or only the watch uses cost the other nothing.
void leave_out(std::initializer_list<bpf_map*> maps) {
  for (auto* map : maps) bpf_map__set_autocreate(map, false);
}

void leave_out_tables(const dptrace_bpf& skeleton) {
  const auto& maps = skeleton.maps;
  leave_out({maps.xt_replaced, maps.xt_learned, maps.xt_before, maps.xt_here});
}

// Where the modules are not loaded yet, or a program was refused, TableProbes sees to it.
void place_table_programs(LoadedObject& object, const KernelOffers& offers) {
  auto functions = table_functions(offers);
  if (functions.empty() || refuses_table_programs(object.refusals)) return;
  if (choose_table_programs(*object.skeleton, offers, functions))
    object.tables = std::move(functions);
}

// Leaves out the maps that the watch alone needs, and the programs that were refused.
void leave_out(const LoadedObject& object) {
  const auto& maps = object.skeleton->maps;
  leave_out({maps.watch_counts_even, maps.watch_counts_odd, maps.watch_other, maps.watch_pods,
             maps.watch_closed, maps.watch_half_open});
  for (const auto& [name, why] : object.refusals) {
    auto* program = bpf_object__find_program_by_name(object.skeleton->obj, name.c_str());
    if (program != nullptr) bpf_program__set_autoload(program, false);
  }
}

// Returns the number of a fentry program of netfilter.bpf.c; SIZE_MAX: the program is none of them.
std::size_t hook_function_slot(std::string_view program) {
  std::size_t slot = SIZE_MAX;
  if (program.starts_with(kOnHookFunction)) {
    const auto number = program.substr(kOnHookFunction.size());
    std::from_chars(number.data(), number.data() + number.size(), slot);
  }
  return slot;
}

}  // namespace

Result<Skeleton> load_beside(const dptrace_bpf& first,
                             const std::function<Result<>(dptrace_bpf&)>& choose) {
  auto skeleton = open_object();
  if (!skeleton) return skeleton;
  // The object is loaded for the programs that are chosen, and for no others.
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, (*skeleton)->obj) {
    bpf_program__set_autoload(program, false);
  }
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, (*skeleton)->obj) {
    const char* name = bpf_map__name(map);
    if (std::string_view(name).starts_with("xt_")) continue;
    const auto* shared = bpf_object__find_map_by_name(first.obj, name);
    const int fd = shared == nullptr ? -1 : bpf_map__fd(shared);
    if (fd < 0 || bpf_map__reuse_fd(map, fd) != 0) bpf_map__set_autocreate(map, false);
  }
  if (auto chosen = choose(**skeleton); !chosen) return tl::unexpected(chosen.error());
  if (const int error = bpf_object__load((*skeleton)->obj); error != 0) {
    const auto refusal = refusal_of(libbpf_log());
    return failure(refusal ? refusal->why : std::string(std::strerror(-error)));
  }
  return skeleton;
}

Result<Skeleton> load_watch(const CaptureSettings& settings, const KernelOffers& offers) {
  // Where the kernel refuses to tell what became of connections, the drops are counted all the
  // same.
  Refusals refusals;
  for (;;) {
    auto skeleton = open_object();
    if (!skeleton) return skeleton;
    configure(**skeleton, settings, offers, refusals);
    const auto& programs = (*skeleton)->progs;
    const bool has_requests =
        !offers.drop_reasons && offers.tracing_functions && offers.inet_rtx_syn_ack;
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, (*skeleton)->obj) {
      const bool is_wanted = program == programs.dptrace_watch || program == programs.dptrace_tcp ||
                             (has_requests && program == programs.dptrace_syn_ack);
      bpf_program__set_autoload(program, is_wanted && !is_refused(refusals, program));
    }
    const auto& maps = (*skeleton)->maps;
    leave_out_tables(**skeleton);
    leave_out({maps.slots, maps.followed, maps.translated, maps.arrivals, maps.dropped});
    const auto loaded = load(**skeleton);
    if (loaded) return skeleton;
    auto refusal = refusal_of(libbpf_log());
    if (refusal && refusal->program == bpf_program__name(programs.dptrace_watch))
      return failure(fmt::format("counting drops at kfree_skb: {}", refusal->why));
    if (!refusal || !refusals.emplace(refusal->program, refusal->why).second)
      return tl::unexpected(loaded.error());
  }
}

Result<LoadedObject> load_object(const CaptureSettings& settings, const KernelOffers& offers,
                                 const std::vector<HookFunction>& hooks, const NftKernel& nft) {
  Refusals refusals;
  bool large = offers.large_network_programs;
  for (;;) {
    auto skeleton = open_object();
    if (!skeleton) return tl::unexpected(skeleton.error());
    LoadedObject object{std::move(*skeleton), {}, {}, {}, nft, {}, refusals};
    configure(*object.skeleton, settings, offers, refusals);
    leave_out(object);
    const bool with_tc = wants_tc(*object.skeleton, settings, offers, refusals);
    const bool with_l3 = with_tc && wants_l3(*object.skeleton, settings, refusals);
    object.network = choose_network_programs(*object.skeleton, large, with_tc, with_l3, refusals);
    place_hook_functions(object, offers, hooks);
    if (bpf_program__autoload(object.skeleton->progs.dptrace_nf_slow)) {
      place_nft_programs(*object.skeleton, nft, offers.kprobes, refusals);
      place_table_programs(object, offers);
    }
    if (object.tables.empty()) leave_out_tables(*object.skeleton);
    auto* ipsec = object.skeleton->progs.dptrace_ipsec;
    bpf_program__set_autoload(
        ipsec, offers.tracing_functions && offers.xfrm_output && !is_refused(refusals, ipsec));
    const auto loaded = load(*object.skeleton);
    if (loaded) return object;
    auto refusal = refusal_of(libbpf_log());
    if (!refusal) return tl::unexpected(loaded.error());
    if (large && is_large(*object.skeleton, refusal->program)) {
      large = false;
      continue;
    }
    // A fentry program stands for the hook function that it was put on.
    if (const auto slot = hook_function_slot(refusal->program); slot < object.by_fentry.size())
      refusal->program = object.by_fentry[slot].name;
    if (!refusals.emplace(refusal->program, refusal->why).second)
      return tl::unexpected(loaded.error());
  }
}

}  // namespace dptrace
