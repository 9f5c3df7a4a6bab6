#include "node/state/queue.hpp"

#include <fmt/format.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "model/foreign.hpp"
#include "node/netlink.hpp"

namespace dptrace {

namespace {

/// Copies a structure of the kernel's; a shorter one of an older kernel leaves zeros.
template <typename Payload>
Payload payload_of(const nlattr* attribute) {
  Payload payload{};
  const std::size_t size =
      std::min<std::size_t>(mnl_attr_get_payload_len(attribute), sizeof payload);
  std::memcpy(&payload, mnl_attr_get_payload(attribute), size);
  return payload;
}

// The kinds that drop nothing that they have room for.
bool drops_when_full_only(const std::string& kind) {
  return kind == "pfifo" || kind == "bfifo" || kind == "pfifo_fast";
}

void read_nested_limit(const nlattr* options, std::uint16_t type, Queue& queue) {
  for_each_nested(options, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == type) queue.limit = payload_of<std::uint32_t>(attribute);
  });
}

void read_limit(const nlattr* options, Queue& queue) {
  if (queue.kind == "pfifo" || queue.kind == "bfifo") {
    queue.limit = payload_of<tc_fifo_qopt>(options).limit;
    queue.limit_is_bytes = queue.kind == "bfifo";
  } else if (queue.kind == "tbf") {
    queue.limit_is_bytes = true;
    for_each_nested(options, [&](const nlattr* attribute) {
      if (mnl_attr_get_type(attribute) == TCA_TBF_PARMS)
        queue.limit = payload_of<tc_tbf_qopt>(attribute).limit;
    });
  } else if (queue.kind == "fq_codel") {
    read_nested_limit(options, TCA_FQ_CODEL_LIMIT, queue);
  } else if (queue.kind == "fq") {
    read_nested_limit(options, TCA_FQ_PLIMIT, queue);
  }
}

void read_counts(const nlattr* statistics, Queue& queue) {
  for_each_nested(statistics, [&](const nlattr* attribute) {
    if (mnl_attr_get_type(attribute) == TCA_STATS_QUEUE) {
      const auto counts = payload_of<gnet_stats_queue>(attribute);
      queue.packets = counts.qlen;
      queue.drops = counts.drops;
    }
    if (mnl_attr_get_type(attribute) == TCA_STATS_APP && queue.kind == "fq_codel") {
      const auto counts = payload_of<tc_fq_codel_xstats>(attribute);
      if (counts.type == TCA_FQ_CODEL_XSTATS_QDISC)
        queue.drops_when_full = counts.qdisc_stats.drop_overlimit;
    }
  });
  if (drops_when_full_only(queue.kind)) queue.drops_when_full = queue.drops;
}

}  // namespace

bool Queue::is_root() const { return parent == TC_H_ROOT; }

std::optional<Queue> parse_queue(const nlmsghdr* message) {
  if (mnl_nlmsg_get_payload_len(message) < sizeof(tcmsg)) return {};
  const auto* info = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(message));
  Queue queue;
  queue.device = static_cast<std::uint32_t>(info->tcm_ifindex);
  queue.handle = info->tcm_handle;
  queue.parent = info->tcm_parent;
  const nlattr *options = nullptr, *statistics = nullptr;
  for_each_attribute(message, sizeof *info, [&](const nlattr* attribute) {
    switch (mnl_attr_get_type(attribute)) {
      case TCA_KIND:
        if (mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) >= 0)
          queue.kind = clean_name(mnl_attr_get_str(attribute));
        break;
      case TCA_OPTIONS:
        options = attribute;
        break;
      case TCA_STATS2:
        statistics = attribute;
        break;
      default:
        break;
    }
  });
  if (queue.kind.empty()) return {};
  if (options != nullptr) read_limit(options, queue);
  if (statistics != nullptr) read_counts(statistics, queue);
  return queue;
}

Result<std::vector<Queue>> read_queues(std::uint32_t device) {
  // The kernel tells those of all devices, and there may be one for every queue of a card.
  constexpr std::size_t kMostQueues = 65'536;
  const auto run = [](mnl_cb_t on_message, void* context) {
    alignas(nlmsghdr) std::array<char, 64> bytes{};
    nlmsghdr* request = mnl_nlmsg_put_header(bytes.data());
    request->nlmsg_type = RTM_GETQDISC;
    mnl_nlmsg_put_extra_header(request, sizeof(tcmsg));
    mnl_attr_put(request, TCA_DUMP_INVISIBLE, 0, nullptr);
    return run_dump(request, on_message, context);
  };
  const auto parse = [](const nlmsghdr* message, std::vector<Queue>& queues) {
    if (auto queue = parse_queue(message)) queues.push_back(std::move(*queue));
  };
  auto queues = dump_with<Queue>("queueing disciplines", run, parse, kMostQueues);
  if (queues) std::erase_if(*queues, [&](const Queue& queue) { return queue.device != device; });
  return queues;
}

std::string limit_text(const Queue& queue) {
  if (!queue.limit) return {};
  return fmt::format("limit {} {}", *queue.limit, queue.limit_is_bytes ? "bytes" : "packets");
}

}  // namespace dptrace
