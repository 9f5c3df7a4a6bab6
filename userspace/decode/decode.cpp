#include "decode/decode.hpp"

#include <fmt/format.h>

#include <cstring>

namespace dptrace {

namespace {

// Sums of times and durations must not overflow.
constexpr std::uint64_t kLatestNs = std::uint64_t{1} << 62;

template <typename T>
T copy_of(std::span<const std::byte> record) {
  T value{};
  std::memcpy(&value, record.data(), std::min(record.size(), sizeof(T)));
  return value;
}

bool is_plausible(const dpt_hop& hop) {
  const bool has_family = hop.flow.family == 4 || hop.flow.family == 6;
  // A netfilter record about a packet that was freed has no flow: family 0.
  const bool may_lack_flow = hop.event.kind == DPT_EVENT_NETFILTER && hop.flow.family == 0;
  return (has_family || may_lack_flow) && hop.tunnel.kind <= DPT_TUNNEL_GRE;
}

Result<Event> malformed(const dpt_event& event, std::string_view what) {
  return failure(
      fmt::format("malformed event of kind {} and {} bytes: {}", event.kind, event.size, what));
}

/// `least` is the length of the shortest record of the kind; a record is that long, or whole.
template <typename T>
Result<Event> decode_hop(std::span<const std::byte> record, dpt_hop T::*hop,
                         std::size_t least = sizeof(T)) {
  if (record.size() != sizeof(T) && record.size() != least)
    return malformed(copy_of<dpt_event>(record), "wrong length");
  T value = copy_of<T>(record);
  if (!is_plausible(value.*hop)) return malformed((value.*hop).event, "no IP flow");
  return Event(value);
}

}  // namespace

Result<Event> decode(std::span<const std::byte> record) {
  if (record.size() < sizeof(dpt_event)) {
    return failure(fmt::format("malformed event: {} bytes are less than a header", record.size()));
  }
  const auto event = copy_of<dpt_event>(record);
  if (event.size != record.size())
    return malformed(event, fmt::format("it came as {} bytes", record.size()));
  if (event.time_ns > kLatestNs) return malformed(event, "its time is centuries away");
  switch (event.kind) {
    case DPT_EVENT_HOP: {
      if (record.size() != sizeof(dpt_hop) && record.size() != offsetof(dpt_hop, tunnel)) {
        return malformed(event, "wrong length");
      }
      const auto hop = copy_of<dpt_hop>(record);
      if (!is_plausible(hop)) return malformed(event, "no IP flow");
      return Event(hop);
    }
    case DPT_EVENT_DROP: {
      auto drop = decode_hop<dpt_drop>(record, &dpt_drop::hop, offsetof(dpt_drop, mark));
      if (drop && std::get<dpt_drop>(*drop).stack_depth > DPT_STACK_DEPTH) {
        return malformed(event, "stack too deep");
      }
      return drop;
    }
    case DPT_EVENT_NETFILTER:
      return decode_hop<dpt_netfilter>(record, &dpt_netfilter::hop);
    case DPT_EVENT_DEVICE: {
      if (record.size() != sizeof(dpt_device)) return malformed(event, "wrong length");
      auto device = copy_of<dpt_device>(record);
      device.name[DPT_NAME_LENGTH - 1] = '\0';
      device.kind[DPT_NAME_LENGTH - 1] = '\0';
      return Event(device);
    }
    case DPT_EVENT_END:
      if (record.size() != sizeof(dpt_end)) return malformed(event, "wrong length");
      return Event(copy_of<dpt_end>(record));
    case DPT_EVENT_LOST: {
      if (record.size() != sizeof(dpt_lost)) return malformed(event, "wrong length");
      const auto lost = copy_of<dpt_lost>(record);
      if (lost.since_ns > lost.event.time_ns) return malformed(event, "it ends before it begins");
      return Event(lost);
    }
    case DPT_EVENT_RULE: {
      if (record.size() != sizeof(dpt_rule)) return malformed(event, "wrong length");
      const auto rule = copy_of<dpt_rule>(record);
      if (rule.path_length > DPT_RULE_PATH) return malformed(event, "path too long");
      return Event(rule);
    }
    case DPT_EVENT_FULL_LISTENER:
      if (record.size() != sizeof(dpt_full_listener)) return malformed(event, "wrong length");
      return Event(copy_of<dpt_full_listener>(record));
    default:
      return malformed(event, "unknown kind");
  }
}

}  // namespace dptrace
