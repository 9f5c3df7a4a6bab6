// Causes of queues: a device's, or a CPU's, has no room.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "explain/cause.hpp"
#include "explain/links.hpp"
#include "node/in_netns.hpp"
#include "node/netns.hpp"
#include "node/state/queue.hpp"
#include "node/state/softnet.hpp"
#include "node/state/sysctl.hpp"

namespace dptrace {

namespace {

// ---- queue-full

// Of these reasons only a full queue is behind. They were reasons from 6.14 to 7.0, some longer.
bool is_told_full(const DropFacts& drop) {
  return drop.reason == "QDISC_OVERLIMIT" || drop.reason == "FQ_BAND_LIMIT" ||
         drop.reason == "FQ_FLOW_LIMIT";
}

bool may_be_full(const DropFacts& drop) {
  if (drop.device == 0) return false;
  return is_told_full(drop) || drop.reason == "QDISC_DROP" ||
         (!drop.has_reasons && drop.listed && drop.by("__dev_queue_xmit"));
}

// The queue whose full state accounts for all that its device has dropped. Nothing when some may
// have been dropped for another cause, such as loss that is meant (netem) or delay (CoDel).
const Queue* full_queue(const std::vector<Queue>& queues, bool told) {
  std::uint64_t all = 0, when_full = 0;
  const Queue* most = nullptr;
  for (const Queue& queue : queues) {
    if (queue.is_root()) all += queue.drops;
    when_full += queue.drops_when_full;
    const std::uint64_t count = told ? queue.drops : queue.drops_when_full;
    const std::uint64_t before = most == nullptr ? 0 : told ? most->drops : most->drops_when_full;
    if (count > before) most = &queue;
  }
  return told || (all > 0 && when_full >= all) ? most : nullptr;
}

// What users know the queue by: a token bucket keeps its packets in a queue that nobody has made.
const Queue& known_queue(const std::vector<Queue>& queues, const Queue& queue) {
  const auto parent = std::ranges::find_if(queues, [&](const Queue& one) {
    return one.kind == "tbf" && one.handle != 0 && one.handle >> 16 == queue.parent >> 16;
  });
  return parent == queues.end() ? queue : *parent;
}

// A device that is not drops what it is to send because it can send nothing.
bool is_operational(std::uint32_t device) {
  const auto links = read_links(kMostLinks);
  const Link* link = links ? find_link(*links, device) : nullptr;
  return link != nullptr && link->is_up() && link->has_carrier();
}

std::optional<Explanation> prove_full(const DropFacts& drop) {
  if (!is_operational(drop.device)) return {};
  const std::string device = device_name(drop.device);
  const auto queues = read_queues(drop.device);
  if (!queues) return {};
  const Queue* full = full_queue(*queues, is_told_full(drop));
  if (full == nullptr) return {};
  const Queue& known = known_queue(*queues, *full);
  std::string fact = fmt::format("qdisc {} of {}: ", known.kind, device);
  if (const auto limit = limit_text(known); !limit.empty()) fact += limit + ", ";
  fact += fmt::format("{} packets were dropped so far", full->drops);
  return Explanation{
      {},
      fmt::format("more is sent by {} than leaves it: its queue ({}) is full", device, known.kind),
      {std::move(fact)},
      {}};
}

// ---- backlog-full

bool may_be_backlog(const DropFacts& drop) {
  return drop.reason == "CPU_BACKLOG" || (!drop.has_reasons && drop.by("enqueue_to_backlog"));
}

constexpr std::string_view kBacklog = "net/core/netdev_max_backlog";

struct BacklogSetting {
  std::optional<int> limit;
  std::uint32_t netns = 0;  // where it can be set; 0: that of the drop
};

// The setting is one for the whole machine, and only the first netns shows it: mostly dptrace was
// started there.
BacklogSetting read_backlog_setting() {
  if (const auto limit = read_sysctl(kBacklog)) return {limit, 0};
  BacklogSetting setting;
  at_home([&] { setting = {read_sysctl(kBacklog), current_netns()}; });
  return setting;
}

std::optional<Explanation> prove_backlog(const DropFacts& drop) {
  const auto drops = read_backlog_drops();
  if (drops.value_or(0) == 0) return {};
  // A kernel without reasons drops, and counts, here what a device gets that goes down, too.
  if (!drop.has_reasons && !is_operational(drop.device)) return {};
  Explanation explanation;
  explanation.sentence = fmt::format(
      "packets come faster than a CPU takes them: its backlog has no room for what {} gets",
      drop.device == 0 ? "a device" : device_name(drop.device));
  explanation.evidence.push_back(
      fmt::format("/proc/net/softnet_stat: {} packets were dropped so far", *drops));
  constexpr int kMost = 1 << 29;
  const BacklogSetting setting = read_backlog_setting();
  const int limit = setting.limit.value_or(0);
  if (limit <= 0 || limit > kMost) return explanation;
  explanation.evidence.push_back(sysctl_fact(kBacklog, limit));
  explanation.fix.push_back(sysctl_command(kBacklog, 2 * limit));
  explanation.fix_netns = setting.netns;
  return explanation;
}

constexpr std::array kCauses = {
    Cause{"queue-full", may_be_full, prove_full},
    Cause{"backlog-full", may_be_backlog, prove_backlog},
};

}  // namespace

std::span<const Cause> queue_causes() { return kCauses; }

}  // namespace dptrace
