#include "run/drops.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "attach/tc.hpp"
#include "counters/loss_counters.hpp"
#include "decode/decode.hpp"
#include "drops/drop_capture.hpp"
#include "drops/drop_rows.hpp"
#include "drops/kind_causes.hpp"
#include "metrics/metrics_server.hpp"
#include "names/namer.hpp"
#include "node/capabilities.hpp"
#include "os/clock.hpp"
#include "os/outlet.hpp"
#include "os/privileges.hpp"
#include "os/ready_file.hpp"
#include "os/stop.hpp"
#include "output/drop_output.hpp"
#include "run/asking.hpp"
#include "run/exit_status.hpp"
#include "run/live.hpp"
#include "run/prerequisites.hpp"
#include "run/standard_output.hpp"
#include "screen/drop_display.hpp"
#include "verdict/drop_stack.hpp"

namespace dptrace {

namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
// Devices and namespaces that are not needed any more are forgotten this often.
constexpr std::uint64_t kForgetEveryNs = 60 * kSecond;
// The ring has room for the samples of a second: a kind gives about one sample a second on each
// CPU.
constexpr std::size_t kRingBytes = 1U << 20;
// Samples are asked about so soon: what the node's state was at the drop it may be no more a little
// later.
constexpr std::uint64_t kAskEveryNs = kSecond / 10;
// A table that waits for answers looks for them so often. It waits for half an interval at most.
constexpr std::uint64_t kLookAgainNs = kSecond / 200;

// The kernel's own counters do not tell packets apart, so they are shown when no packet is filtered
// out, or not at all.
bool wants_counters(const CaptureSettings& filter) {
  return filter.pods.empty() && filter.peers.empty() && filter.port == 0 && !filter.protocol;
}

// Gives up the rights to attach, once everything is attached. The maps are still read and written,
// which takes CAP_BPF where there is no CAP_SYS_ADMIN. The other capabilities are needed to find
// names.
Result<> give_up_attaching() {
  const auto capabilities = Capabilities::read();
  if (!capabilities) return tl::unexpected(capabilities.error());
  if (capabilities->holds(CAP_SYS_ADMIN))
    return keep_capabilities({CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYSLOG});
  return keep_capabilities({CAP_BPF, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH, CAP_SYSLOG});
}

// The width of standard output in columns; nothing when it is no terminal.
std::optional<std::size_t> terminal_width() {
  if (isatty(STDOUT_FILENO) == 0) return {};
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return kColumns;
  return size.ws_col;
}

std::unique_ptr<DropOutput> make_output(const DropsCommand& command, Sink& sink) {
  if (command.json) return make_drop_json_output(sink, command.all);
  DropTableStyle style;
  style.colour = wants_colour();
  style.all = command.all;
  style.details = command.verbose;
  const auto terminal = terminal_width();
  // A reader of a file can scroll and search, so nothing is cut there.
  style.whole = command.verbose || !terminal;
  if (terminal) style.width = *terminal;
  return make_drop_text_output(sink, style);
}

class Drops {
 public:
  /// `metrics` is null when no metrics are asked for.
  Drops(const DropsCommand& command, DropCapture& watch, MetricsServer* metrics, Names& names,
        Symbols symbols)
      : command_(command),
        watch_(watch),
        metrics_(metrics),
        names_(names),
        namer_(names, std::move(symbols)),
        rows_(names),
        output_(make_output(command, sink_)) {
    namer_.on_links([this](std::uint32_t netns, const std::vector<Link>& links) {
      watch_.tunnel_ports().set(netns, links);
    });
    if (command.explain) causes_.emplace(names, asking(namer_, names));
  }

  Result<> run() {
    watch_node();
    if (auto started = watch_.start(); !started) return started;
    if (wants_counters(command_.capture)) counters_.emplace();
    // The drop-watch has only this probe, and cannot do without it.
    if (metrics_ != nullptr) metrics_->begin(watch_.probes());
    const std::uint64_t start = monotonic_ns();
    const Result<> result = follow(start);
    display_.reset();
    if (!result) return result;
    const auto& table = rows_.table();
    DropSummary summary;
    summary.dropped = table.losses.packets;
    summary.packets = table.losses.packets + table.harmless.packets;
    summary.events_lost = table.samples_lost + table.not_examined;
    summary.duration_ns = table.time_ns - start;
    if (open_) output_->finish(table, summary, names_);
    sink_.flush();
    return {};
  }

  /// The exit status. Says on standard error why results were not written, if they were not.
  int exit_status() {
    return sink_.end(command_.fail_on_drop && rows_.table().losses.packets != 0 ? kDropSeen
                                                                                : kSuccess);
  }

 private:
  Result<> follow(std::uint64_t start) {
    stop::end_in_order();
    if (auto shown = start_display(); !shown) return shown;
    if (auto created = create_ready_file(command_.ready_file); !created) return created;
    if (auto given_up = give_up_attaching(); !given_up) return given_up;
    const auto interval = static_cast<std::uint64_t>(command_.interval.count());
    std::uint64_t due = start + interval;
    const std::uint64_t end = end_of_watch(start);
    for (std::uint64_t now = start; now < end && open_; now = monotonic_ns()) {
      if (auto waited = wait(std::min({due, end, now + patience()}), now); !waited) return waited;
      if (stop::came() || (display_ && !display_->handle_input())) break;
      watch_node();
      now = monotonic_ns();
      tell_when_explained(now);
      if (now < due || now >= end) {
        watch_.take_samples(receiver_);
        continue;
      }
      if (auto counted = count(watch_.read(receiver_), false); !counted) return counted;
      untold_until_ns_ = now + interval / 2;
      due = std::max(due + interval, untold_until_ns_);
      tell_when_explained(now);
    }
    tell_when_explained(UINT64_MAX);
    const auto counted = count(watch_.stop(receiver_), true);
    if (!counted) return counted;
    if (causes_) causes_->finish();
    tell();
    return {};
  }

  // The next look at the ring and at answers comes no later than this.
  std::uint64_t patience() const {
    if (!causes_) return kSecond;
    return untold_until_ns_ != 0 ? kLookAgainNs : kAskEveryNs;
  }

  // A table waits a little for the causes of what it counts.
  void tell_when_explained(std::uint64_t now) {
    if (causes_) causes_->collect();
    if (untold_until_ns_ == 0) return;
    if (causes_ && now < untold_until_ns_ && causes_->awaits(rows_.table().time_ns)) return;
    tell();
    show();
  }

  // The drops get a screen of their own on a terminal, unless one table (--once) or data (--json)
  // is asked for.
  Result<> start_display() {
    if (command_.json || command_.once || !Terminal::is_there()) return {};
    auto terminal = Terminal::open();
    if (!terminal) return tl::unexpected(terminal.error());
    display_.emplace(
        std::move(*terminal), names_,
        DropScreen::Options{
            .colour = wants_colour(), .all = command_.all, .details = command_.verbose});
    return {};
  }

  void show() {
    open_ = display_ ? display_->show(rows_.table())
                     : output_->interval(rows_.table(), names_) && sink_.flush();
  }

  void warn(const std::string& warning) {
    if (display_) {
      display_->tell(warning);
    } else {
      say(warning);
    }
  }

  std::uint64_t end_of_watch(std::uint64_t start) const {
    if (command_.once) return start + static_cast<std::uint64_t>(command_.interval.count());
    if (!command_.duration) return UINT64_MAX;
    return start + static_cast<std::uint64_t>(command_.duration->count());
  }

  // Waits until `until`, or until a signal or a key comes, a device changes, or a program in the
  // kernel wants the ring to be emptied.
  Result<> wait(std::uint64_t until, std::uint64_t now) const {
    // poll() passes over a descriptor below 0.
    std::array<pollfd, 4> descriptors = {{{stop::fd(), POLLIN, 0},
                                          {watch_.ring_fd(), POLLIN, 0},
                                          {watch_.links_fd(), POLLIN, 0},
                                          {display_ ? display_->fd() : -1, POLLIN, 0}}};
    const std::uint64_t left = until > now ? until - now : 0;
    const timespec timeout = {static_cast<time_t>(left / kSecond),
                              static_cast<long>(left % kSecond)};
    if (ppoll(descriptors.data(), descriptors.size(), &timeout, nullptr) < 0 && errno != EINTR)
      return failure(fmt::format("waiting for drops: {}", std::strerror(errno)));
    watch_.follow_links();
    return {};
  }

  bool take(std::span<const std::byte> record) {
    const auto event = decode(record);
    if (!event) {
      malformed_ = event.error();
      return false;
    }
    namer_.see(*event);
    if (const auto* drop = std::get_if<dpt_drop>(&*event)) {
      rows_.add_sample(drop->hop.key, to_sample(*drop));
      if (causes_) causes_->see(*drop);
    }
    return true;
  }

  bool is_wanted(InterfaceId id) const {
    const auto& patterns = command_.capture.interfaces;
    if (patterns.empty()) return true;
    const Interface* interface = names_.interface(id);
    return interface != nullptr &&
           std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
             return fnmatch(pattern.c_str(), interface->name.c_str(), 0) == 0;
           });
  }

  // Adds the counts of an interval to the table.
  Result<> count(Result<DropCounts> counts, bool is_last) {
    follow_wall_clock(names_);
    if (!counts) return tl::unexpected(counts.error());
    if (malformed_) return tl::unexpected(*malformed_);
    // A count may be of a pod or a netns that came since watch_node() last refreshed the pods.
    namer_.refresh_pods();
    for (const auto& kind : counts->kinds) {
      namer_.see(kind.kind.interface);
      if (!kind.kind.folded) namer_.see(kind.kind.location, kind.kind.interface);
    }
    std::erase_if(counts->kinds,
                  [&](const KindCount& kind) { return !is_wanted(kind.kind.interface); });
    if (counters_) counts->counters = read_counters(is_last);
    rows_.add(*counts);
    return {};
  }

  // Ends the waiting for causes: what is known of them goes to the rows and metrics.
  void tell() {
    untold_until_ns_ = 0;
    if (causes_) rows_.explain([&](DropRow& row) { causes_->explain(row); });
    publish();
    forget();
  }

  std::vector<LossCounter> read_counters(bool is_last) {
    auto counters = is_last ? counters_->read_all() : counters_->read();
    for (const auto& warning : counters_->take_warnings()) warn(warning);
    for (const auto& counter : counters) namer_.see(counter.interface);
    std::erase_if(counters,
                  [&](const LossCounter& counter) { return !is_wanted(counter.interface); });
    return counters;
  }

  void publish() {
    if (metrics_ == nullptr) return;
    metrics_->update(rows_.table(), names_);
    if (const auto warning = metrics_->take_warning()) warn(*warning);
  }

  // Pods come and go; refreshing their names once a second is soon enough.
  void watch_node() {
    const std::uint64_t now = monotonic_ns();
    if (now < next_look_ns_) return;
    next_look_ns_ = now + kSecond;
    if (metrics_ != nullptr) {
      if (const auto warning = metrics_->renew_access()) warn(*warning);
    }
    namer_.refresh_pods();
    std::set<Address> pods(command_.capture.pods.begin(), command_.capture.pods.end());
    for (const auto& [address, pod] : namer_.pod_addresses()) pods.insert(address);
    watch_.set_netns(namer_.trusted_netns());
    if (!watch_.set_pods(pods) && !told_pods_) {
      warn(
          fmt::format("more than {} pod addresses: drops of some name no pod", DPT_DROPS_PODS + 0));
      told_pods_ = true;
    }
  }

  void forget() {
    const std::uint64_t now = rows_.table().time_ns;
    if (next_forget_ns_ == 0) next_forget_ns_ = now + kForgetEveryNs;
    if (now < next_forget_ns_) return;
    next_forget_ns_ = now + kForgetEveryNs;
    std::set<InterfaceId> interfaces;
    std::set<Address> pods;
    for (const auto& row : rows_.table().rows) {
      interfaces.insert(row.kind.interface);
      if (row.kind.pod) pods.insert(*row.kind.pod);
    }
    for (const auto& counter : rows_.table().counters) interfaces.insert(counter.interface);
    namer_.keep(interfaces, pods);
    if (metrics_ != nullptr) metrics_->end(namer_.presence(), now);
  }

  const DropsCommand& command_;
  DropCapture& watch_;
  MetricsServer* metrics_;
  Names& names_;
  Namer namer_;
  DropRows rows_;
  std::optional<KindCauses> causes_;
  StandardOutput sink_;
  std::unique_ptr<DropOutput> output_;
  std::optional<LossCounters> counters_;
  std::optional<DropDisplay> display_;
  const DropCapture::Receiver receiver_ = [this](std::span<const std::byte> record) {
    return take(record);
  };
  std::optional<Error> malformed_;
  std::uint64_t next_look_ns_ = 0;
  std::uint64_t next_forget_ns_ = 0;
  std::uint64_t untold_until_ns_ = 0;  ///< the table is told then at the latest; 0: it was told
  bool told_pods_ = false;
  bool open_ = true;
};

struct Started {
  std::unique_ptr<DropCapture> watch;
  Names names;
  Symbols symbols;
};

Result<Started> start(CaptureSettings settings) {
  auto node = meet_prerequisites();
  if (!node) return tl::unexpected(node.error());
  // A trace that was killed together with its watcher has left its filters. Where this command may
  // not remove them, the next trace does.
  remove_stale_filters();
  settings.ring_bytes = kRingBytes;
  Names names = names_of_node(node->btf);
  auto watch = DropCapture::load(settings, std::move(node->btf));
  if (!watch) return tl::unexpected(watch.error());
  auto& symbols = node->symbols.wait();
  if (!symbols) return tl::unexpected(symbols.error());
  (*watch)->pass_over(symbols->ranges(frees_for_others));
  return Started{std::move(*watch), std::move(names), std::move(*symbols)};
}

}  // namespace

Result<int> watch_drops(const DropsCommand& command, MetricsServer* metrics) {
  auto started = start(command.capture);
  if (!started) return tl::unexpected(started.error());
  Drops drops(command, *started->watch, metrics, started->names, std::move(started->symbols));
  if (const auto result = drops.run(); !result) return tl::unexpected(result.error());
  return drops.exit_status();
}

}  // namespace dptrace
