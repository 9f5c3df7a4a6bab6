#include "capture/capture.hpp"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>

#include "capture/lost_events.hpp"
#include "counters/netns_counters.hpp"
#include "dptrace/event.h"
#include "os/clock.hpp"

namespace dptrace {

namespace {

// kForgetNs is BELIEF_NS of identity.bpf.h, and something more for records on their way.
constexpr std::uint64_t kForgetNs = 36'000'000'000;

// The first sleep is far longer than a program takes to write a record.
constexpr std::chrono::milliseconds kFirstSleep{500};

int fd_of(const bpf_program* program) { return program == nullptr ? -1 : bpf_program__fd(program); }

constexpr std::array<std::string_view, 2> kDevicePoints = {"netif_receive_skb",
                                                           "net_dev_start_xmit"};

}  // namespace

Result<std::unique_ptr<Capture>> Capture::start(const CaptureSettings& settings, KernelBtf btf,
                                                SymbolsReading& symbols) {
  std::optional<KernelBtf> types(std::move(btf));
  auto offers = KernelOffers::ask(*types);
  // The symbols are waited for as late as can be: before loading only where programs are made for
  // functions.
  std::vector<HookFunction> hooks;
  NftKernel nft;
  if (offers.tracing_functions) {
    if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
    hooks = hook_functions(*symbols.wait(), *types);
    nft = NftKernel::ask(*types, *symbols.wait());
    offers.per_cpu_offsets = symbols.wait()->per_cpu_offsets();
  }
  types.reset();
  auto object = load_object(settings, offers, hooks, nft);
  if (!object) return tl::unexpected(object.error());

  std::unique_ptr<Capture> capture(new Capture(settings));
  capture->object_ = std::move(*object);
  auto* data = capture->object_.skeleton->bss;
  capture->marks_.emplace(data->marks, data->translated_marks);
  capture->tunnel_ports_.emplace(data->tunnel_ports, &data->tunnel_ports_told);
  // The ring is there before anything writes to it; exits are attached before entries.
  auto ring = Ring::open(bpf_map__fd(capture->object_.skeleton->maps.ring));
  if (!ring) return tl::unexpected(ring.error());
  capture->ring_ = std::move(*ring);
  capture->families_.emplace(capture->object_, offers);
  capture->may_let_hooks_go_ = offers.functions_again;
  // clsact forks, and no other thread may run then: the symbols have to be there.
  if (!symbols.wait()) return tl::unexpected(symbols.wait().error());
  if (auto attached = capture->attach_devices(settings, offers); !attached) {
    return tl::unexpected(attached.error());
  }
  // The probes that are left in a lower gear must see every packet that matters.
  if (!capture->sees_every_device() || !capture->families_->has("kfree_skb"))
    capture->gearbox_ = Gearbox(0);
  if (auto seeing = capture->sees_anything(); !seeing) return tl::unexpected(seeing.error());
  return capture;
}

Capture::Capture(const CaptureSettings& settings)
    : pods_(settings.pods), gearbox_(settings.busy_rate), hook_gear_(monotonic_ns()) {}

Capture::~Capture() = default;

std::string Capture::refusal(const char* program) const {
  const auto found = object_.refusals.find(program);
  return found == object_.refusals.end() ? "" : found->second;
}

Result<> Capture::sees_anything() const {
  std::string why;
  for (const auto& probe : probes()) {
    const bool is_tracepoint = probe.mechanism == "tp_btf";
    if (!is_tracepoint && probe.name != "tc") continue;
    if (probe.attached && (is_tracepoint || devices_->attached() > 0)) return {};
    if (!probe.why.empty()) why += fmt::format("\n  {}: {}", probe.name, probe.why);
  }
  return failure(fmt::format(
      "nothing can be seen here: neither tc programs nor tracepoints can be attached{}", why));
}

bool Capture::sees_every_device() const {
  return std::all_of(kDevicePoints.begin(), kDevicePoints.end(),
                     [&](std::string_view point) { return families_->has(point); });
}

ProbeStates Capture::probes() const {
  auto states = families_->states();
  states.push_back(tc_state_);
  return states;
}

void Capture::follow_modules() {
  for (auto& warning : families_->follow_modules()) warnings_.push_back(std::move(warning));
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
                         fd_of(network.l3_in), fd_of(network.l3_out)};
    tc = offers.tcx ? make_tcx(fds) : make_clsact(fds);
    if (settings.load_all) state.why = tc->trial();
  }
  // A dptrace that was killed may have left filters.
  if (const auto removed = remove_stale_filters(); !removed && state.why.empty())
    state.why = removed.error().message;
  auto devices = Devices::start(std::move(tc),
                                {.patterns = settings.interfaces,
                                 .mark_covered = !settings.every_probe,
                                 .alone = !sees_every_device(),
                                 .by_tcx = offers.tcx},
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
  tc_state_ = std::move(state);
  return {};
}

// A program that has not seen yet that the reader sleeps does not wake it. Therefore the first
// sleep is short. Records that came into the ring meanwhile are found when the next sleep begins,
// and by then all programs have seen that the reader sleeps.
std::chrono::milliseconds Capture::fall_asleep(std::chrono::milliseconds timeout, Wait wait) {
  const std::uint32_t asleep = wait == Wait::kForOne ? 1 : 0;
  std::atomic_ref sleeps(object_.skeleton->bss->reader_sleeps);
  const bool is_known = sleeps.exchange(asleep) == asleep;
  if (wait == Wait::kForOne && !ring_->empty()) return {};
  if (wait == Wait::kForOne && !is_known) timeout = std::min(timeout, kFirstSleep);
  std::uint64_t until = gearbox_.wakes_ns();
  if (followed_ns_ != 0) until = std::min(until, followed_ns_ + kForgetNs);
  const std::uint64_t now = monotonic_ns();
  const std::chrono::nanoseconds left(
      std::min<std::uint64_t>(until - std::min(until, now), INT64_MAX));
  return std::min(timeout, std::chrono::ceil<std::chrono::milliseconds>(left));
}

Result<> Capture::poll(std::chrono::milliseconds timeout, Wait wait, std::span<const int> wake_fds,
                       const Receiver& receive) {
  std::vector<pollfd> descriptors = {{ring_->fd(), POLLIN, 0}, {devices_->fd(), POLLIN, 0}};
  for (const int fd : wake_fds) descriptors.push_back({fd, POLLIN, 0});
  const auto most = std::min<std::int64_t>(fall_asleep(timeout, wait).count(), INT_MAX);
  const int ready = ::poll(descriptors.data(), descriptors.size(), static_cast<int>(most));
  if (ready < 0 && errno != EINTR)
    return failure(fmt::format("waiting for events: {}", std::strerror(errno)));
  if (ready > 0 && descriptors[1].revents != 0) follow_links();

  const bool goes_on = shift_gear(receive) && shift_hook_gear(receive);
  complete_until_ = monotonic_ns();
  forget_following();
  if (goes_on && tell_lost(complete_until_, receive)) ring_->read(receive);
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

// A record that is lost after the count is told the next time, as lost since a time before it.
bool Capture::tell_lost(std::uint64_t begin_ns, const Receiver& receive) {
  const std::uint64_t lost_before = lost_;
  count_lost();
  const std::uint64_t records = lost_ - lost_before;
  const std::uint64_t since_ns = std::exchange(lost_since_ns_, begin_ns);
  if (records == 0) return true;
  return tell_gap({since_ns, monotonic_ns(), records}, receive);
}

void Capture::follow_links() {
  if (!devices_->follow()) return;
  on_links_();
  const std::uint64_t now = monotonic_ns();
  // An asked-for address may be behind another device now: the next measurement of the node looks
  // into that. Until then all devices are watched.
  if (gearbox_.has_doorbells()) gearbox_.set_doorbells(now, false);
  // When a pod has gone, its successor must find everything attached.
  if (devices_->has_lost_doorbell()) gearbox_.follow(now);
}

void Capture::measure(std::uint64_t now_ns) {
  gearbox_.measure(now_ns, packets_received());
  if (!gearbox_.wants_doorbells()) return;
  const bool had_doorbells = devices_->has_doorbells();
  gearbox_.set_doorbells(now_ns, devices_->attach_doorbells(pods_));
  // A pod that ends loses its address or its netns some time before its device goes.
  if (had_doorbells && !devices_->has_doorbells()) gearbox_.follow(now_ns);
}

bool Capture::shift_gear(const Receiver& receive) {
  const std::uint64_t now = monotonic_ns();
  const auto following = std::atomic_ref(object_.skeleton->bss->following).load();
  if (following != 0 && following != followed_ns_) gearbox_.follow(now);
  followed_ns_ = following;
  if (gearbox_.is_due(now)) measure(now);
  const Gear gear = gearbox_.gear(now);
  const Gear before = std::exchange(gear_, gear);
  if (gear == before) return true;
  families_->shift(gear);
  if (before == Gear::kArmed) not_armed_since_ns_ = now;
  if (gear != Gear::kArmed) return true;
  devices_->attach_chosen();
  hook_gear_.ask(now);
  // Packets that passed meanwhile, or are under way, lack what the other families would have told.
  return tell_gap({not_armed_since_ns_, monotonic_ns(), 0}, receive);
}

bool Capture::shift_hook_gear(const Receiver& receive) {
  const std::uint64_t now = monotonic_ns();
  const auto asked_for = std::atomic_ref(object_.skeleton->bss->entries_asked_for).load();
  const bool is_asked = asked_for != std::exchange(hooks_asked_ns_, asked_for);
  if (is_asked) hook_gear_.ask(now);
  const Deciders wanted{
      !may_let_hooks_go_ || hook_gear_.is_wanted(now, gearbox_.is_busy()),
      !may_let_hooks_go_ || hook_gear_.is_wanted(now, gearbox_.is_busy_for_rules())};
  if (wanted == std::exchange(deciders_, wanted)) return true;
  families_->want(wanted);
  if (!is_asked) return true;
  warnings_.emplace_back(
      "a packet ended at a netfilter hook, and which function or rule ended it may not be told: on "
      "this busy node these were not probed. Now they are, and the next one is told");
  return tell_gap({asked_for, monotonic_ns() + DPT_ENTRIES_SETTLE_NS, 0}, receive);
}

bool Capture::tell_gap(const Gap& gap, const Receiver& receive) {
  dpt_lost record{};
  record.event = {DPT_EVENT_LOST, sizeof record, 0, gap.until_ns};
  record.since_ns = gap.since_ns;
  record.records = gap.records;
  return receive(std::as_bytes(std::span(&record, 1)));
}

void Capture::forget_following() {
  auto* data = object_.skeleton->bss;
  for (auto* since_ns : {&data->following, &data->translated_since}) {
    std::atomic_ref shared(*since_ns);
    // The exchange fails if the programs have just renewed the time.
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
