#include "run/trace.hpp"

#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include "capture/capture.hpp"
#include "decode/decode.hpp"
#include "explain/explainer.hpp"
#include "names/namer.hpp"
#include "node/module_monitor.hpp"
#include "os/clock.hpp"
#include "os/directory_watch.hpp"
#include "os/outlet.hpp"
#include "os/ready_file.hpp"
#include "os/stop.hpp"
#include "record/writer.hpp"
#include "run/asking.hpp"
#include "run/live.hpp"
#include "run/prerequisites.hpp"
#include "run/session.hpp"
#include "run/silence.hpp"

namespace dptrace {

namespace {

// The ring is read this often. With 8 MiB it holds the events of this time from two cores that do
// nothing but send; reading it more often would waste CPU time.
constexpr std::chrono::milliseconds kPollInterval{50};
// A question about pods that the kernel was too busy to answer is asked again after this time.
constexpr std::chrono::milliseconds kPostponedInterval{500};
constexpr std::uint64_t kBurstEvents = 10'000;
constexpr std::uint64_t kWatchEveryNs = 1'000'000'000;
constexpr std::uint64_t kWarnEveryNs = 2'000'000'000;
// This is far longer than a packet, which needs its names, stays in the timeline.
constexpr std::uint64_t kForgetEveryNs = 60'000'000'000;

void tell_start(const Capture& capture) {
  for (const auto& probe : capture.probes()) {
    if (!probe.attached && !probe.follows)
      say(fmt::format("not seen here: {} ({})", probe.facts, probe.why));
  }
}

// LossWarning says during the trace that events are lost, but not more often than people can read.
class LossWarning {
 public:
  void check(const Capture& capture, std::uint64_t now) {
    if (capture.lost() == told_ || now < next_ns_) return;
    next_ns_ = now + kWarnEveryNs;
    tell(capture);
  }

  // Tells at the end about losses that no warning has told yet, however recent the last warning is.
  void finish(const Capture& capture) {
    if (capture.lost() != told_) tell(capture);
  }

 private:
  void tell(const Capture& capture) {
    told_ = capture.lost();
    const std::uint64_t missed = capture.missed(), without_room = told_ - missed;
    if (without_room != 0) {
      say(
          fmt::format("{} events lost so far: packets are missing hops. Give a larger "
                      "--ring-size, or narrow the filter (--peer-ip, --port, --protocol)",
                      without_room));
    }
    if (missed != 0) {
      say(
          fmt::format("{} events missed so far: the kernel calls no program while an interrupt "
                      "or another task has come amid the same one. Packets may be missing hops",
                      missed));
    }
  }

  std::uint64_t next_ns_ = 0;
  std::uint64_t told_ = 0;
};

class Trace {
 public:
  Trace(const TraceCommand& command, Capture& capture, Names& names, Symbols symbols)
      : command_(command),
        capture_(capture),
        names_(names),
        namer_(names, std::move(symbols)),
        directories_(namer_.directories()),
        session_(command.show, command.capture.pods, names) {
    namer_.on_links([this](std::uint32_t netns, const std::vector<Link>& links) {
      capture_.tunnel_ports().set(netns, links);
    });
    namer_.rules().on_revision([this](const RuleBook::Table& table) {
      return capture_.revision_of(table.family, table.address);
    });
    capture_.on_links([this] { namer_.links_changed(); });
    if (command.explain) explainer_.emplace(names, asking(namer_, names));
  }

  Result<> run(std::optional<record::Target> target) {
    if (target) {
      auto writer = record::Writer::create(std::move(*target), names_, command_.capture.pods);
      if (!writer) return tl::unexpected(writer.error());
      writer_.emplace(std::move(*writer));
      if (const auto warning = writer_->take_warning()) say(*warning);
    }
    get_ready();
    stop::end_in_order();
    start_ns_ = monotonic_ns();
    silence_ = Silence(start_ns_);
    if (auto created = create_ready_file(command_.ready_file); !created) return created;
    if (isatty(STDERR_FILENO) != 0) say("following; Ctrl-C ends");
    Result<> result;
    while (result && !session_.is_done() && left().count() > 0 && !stop::came()) {
      result = round(true);
    }
    if (result) result = round(false);  // takes what came until the end
    namer_.rules().finish();
    if (explainer_) explainer_->finish();
    if (result && writer_) result = writer_->names(names_);
    loss_warning_.finish(capture_);
    Summary figures;
    figures.events_lost = capture_.lost();
    figures.duration_ns = monotonic_ns() - start_ns_;
    figures.told_until_ns = session_.told_until();
    session_.finish(figures);
    if (writer_ && result) result = writer_->finish(figures);
    return result;
  }

  int exit_status() { return session_.exit_status(); }

 private:
  // Makes ready to tell the first packet like all others, with pods, devices and every probe.
  void get_ready() {
    watch_node();
    namer_.describe_all();
    capture_.begin([&](std::span<const std::byte> record) {
      if (const auto event = decode(record)) namer_.see(*event);
      return true;
    });
    malloc_trim(0);  // gives back what the start took, above all BTF
  }

  // The time left of --duration, rounded up to milliseconds so that the trace does not end too
  // early.
  std::chrono::milliseconds left() const {
    if (!command_.duration) return std::chrono::milliseconds::max();
    const auto passed = std::chrono::nanoseconds(monotonic_ns() - start_ns_);
    return std::max({}, std::chrono::ceil<std::chrono::milliseconds>(*command_.duration - passed));
  }

  Result<> round(bool waits) {
    Result<> result;
    const auto polled = poll(waits, [&](std::span<const std::byte> record) {
      result = take(record);
      return result.has_value();
    });
    if (!polled) return polled;
    if (!result) return result;
    watch_node();  // before the packets of this round are told
    namer_.rules().collect();
    if (explainer_) explainer_->collect();
    hold_back();
    if (writer_) {
      // Each round is written to the file completely, so that it survives a crash.
      if (auto written = writer_->names(names_); !written) return written;
      if (auto written = writer_->flush(); !written) return written;
    }
    const std::uint64_t now = capture_.complete_until();
    session_.advance(now);
    loss_warning_.check(capture_, now);
    for (const auto& warning : capture_.take_warnings()) say(warning);
    const CaptureSettings& asked = command_.capture;
    const bool is_filtered = !asked.peers.empty() || asked.port != 0 || asked.protocol;
    if (const auto words = silence_.words(now, session_.events() != 0, asked.pods,
                                          namer_.pod_addresses(), is_filtered))
      say(*words);
    return {};
  }

  Result<> poll(bool waits, const Capture::Receiver& receive) {
    using Wait = Capture::Wait;
    if (!waits) return capture_.poll({}, Wait::kForMany, {}, receive);
    const std::array<int, 3> wake_fds = {stop::fd(), directories_.fd(), modules_.fd()};
    if (!session_.is_idle())
      return capture_.poll(std::min(kPollInterval, left()), Wait::kForMany, wake_fds, receive);
    give_back_memory();
    const auto longest =
        namer_.has_postponed() ? kPostponedInterval : std::chrono::milliseconds::max();
    const auto silent = silence_.left(monotonic_ns());
    return capture_.poll(std::min({longest, left(), silent}), Wait::kForOne, wake_fds, receive);
  }

  // The packets of a burst take some MiB, which the allocator would keep.
  void give_back_memory() {
    if (session_.events() < given_back_at_ + kBurstEvents) return;
    given_back_at_ = session_.events();
    malloc_trim(0);
  }

  // Pods come and go, and a new pod may get the netns number or the address of a former one.
  // Modules are looked for when the kernel tells of one, and once a second while packets are told.
  void watch_node() {
    follow_wall_clock(names_);
    directories_.drain();  // before refresh_pods(), so that a later change wakes again
    namer_.refresh_pods();
    const std::uint64_t now = monotonic_ns();
    if (!modules_.drain() && now < next_watch_ns_) return;
    next_watch_ns_ = now + kWatchEveryNs;
    capture_.follow_modules();
    if (next_forget_ns_ != 0 && now >= next_forget_ns_) namer_.forget_gone();
    if (now >= next_forget_ns_) next_forget_ns_ = now + kForgetEveryNs;
  }

  // Packets are told when it is known by which rule and why they died.
  void hold_back() {
    const std::uint64_t rules = namer_.rules().awaited_since();
    session_.hold_back(explainer_ ? std::min(rules, explainer_->awaited_since()) : rules);
  }

  Result<> take(std::span<const std::byte> record) {
    const auto event = decode(record);
    if (!event) return tl::unexpected(event.error());
    namer_.see(*event);
    const auto* drop = std::get_if<dpt_drop>(&*event);
    const auto* netfilter = std::get_if<dpt_netfilter>(&*event);
    if (drop != nullptr && explainer_) explainer_->follow(*drop);
    if (netfilter != nullptr && explainer_) explainer_->see(*netfilter);
    const auto* hop = std::get_if<dpt_hop>(&*event);
    const bool departs = hop != nullptr && explainer_ && explainer_->see(*hop);
    if (drop != nullptr || departs || std::holds_alternative<dpt_rule>(*event)) hold_back();
    if (writer_) {
      if (auto written = writer_->events(record); !written) return written;
    }
    if (!session_.is_done()) session_.take(*event);
    return {};
  }

  const TraceCommand& command_;
  Capture& capture_;
  Names& names_;
  Namer namer_;
  DirectoryWatch directories_;
  ModuleMonitor modules_;
  Session session_;
  std::optional<Explainer> explainer_;
  Silence silence_{0};
  LossWarning loss_warning_;
  std::uint64_t start_ns_ = 0;
  std::uint64_t given_back_at_ = 0;  ///< number of events when memory was last given back
  std::uint64_t next_watch_ns_ = 0;
  std::uint64_t next_forget_ns_ = 0;
  std::optional<record::Writer> writer_;
};

struct Started {
  std::unique_ptr<Capture> capture;
  Names names;
  Symbols symbols;
};

Result<Started> start(const CaptureSettings& settings) {
  auto node = meet_prerequisites();
  if (!node) return tl::unexpected(node.error());
  Names names = names_of_node(node->btf);
  auto capture = Capture::start(settings, std::move(node->btf), node->symbols);
  if (!capture) return tl::unexpected(capture.error());
  names.sockets_unseen = !(*capture)->sees_sockets();
  names.rules_unseen = !(*capture)->sees_rules();
  return Started{std::move(*capture), std::move(names), std::move(*node->symbols.wait())};
}

}  // namespace

Result<int> follow_packets(const TraceCommand& command, std::optional<record::Target> target) {
  auto started = start(command.capture);
  if (!started) return tl::unexpected(started.error());
  tell_start(*started->capture);
  Trace trace(command, *started->capture, started->names, std::move(started->symbols));
  if (const auto result = trace.run(std::move(target)); !result)
    return tl::unexpected(result.error());
  return trace.exit_status();
}

}  // namespace dptrace
