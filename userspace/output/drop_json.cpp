#include "output/drop_output.hpp"
#include "output/drop_words.hpp"
#include "output/json_parts.hpp"
#include "output/protocol_words.hpp"

namespace dptrace {

namespace {

Json pod_json(const Address& address, const Names& names) {
  Json json;
  json["ip"] = address.text();
  const auto pod = names.pods.find(address);
  if (pod != names.pods.end()) json["pod"] = pod->second;
  return json;
}

Json sample_json(const DropSample& sample, const Names& names) {
  Json json;
  json["time"] = wall_time(sample.drop.time_ns, names);
  json["length"] = sample.length;
  json["flow"] = flow_json(sample.flow, names);
  if (sample.tunnel) json["tunnel"] = tunnel_json(*sample.tunnel);
  if (Json stack = stack_json(sample.drop, names); !stack.empty()) json["stack"] = std::move(stack);
  return json;
}

Json row_json(const DropTable& table, const DropRow& row, const Names& names) {
  Json json = head_json("drop_kind", names);
  json["time"] = wall_time(table.time_ns, names);
  if (row.kind.reason) {
    const auto name = names.reasons.find(*row.kind.reason);
    if (name != names.reasons.end()) json["reason"] = name->second;
    json["reason_code"] = *row.kind.reason;
  }
  json["location"] = names.location(row.kind.location);
  if (Json interface = interface_json(row.kind.interface, names); !interface.is_null())
    json["interface"] = std::move(interface);
  if (row.kind.family != 0) json["family"] = row.kind.family == 4 ? "ipv4" : "ipv6";
  if (const auto protocol = drop_protocol_name(row.kind); !protocol.empty())
    json["protocol"] = protocol;
  if (row.kind.family != 0 && (row.kind.protocol == kIcmp || row.kind.protocol == kIcmpv6))
    json["icmp_type"] = row.kind.icmp_type;
  if (row.kind.multicast) json["multicast"] = true;
  if (row.kind.pod) json["pod"] = pod_json(*row.kind.pod, names);
  json["loss"] = row.loss;
  json["packets"] = row.total.packets;
  json["bytes"] = row.total.bytes;
  json["interval_packets"] = row.interval.packets;
  json["interval_bytes"] = row.interval.bytes;
  json["interval_ns"] = table.interval_ns;
  json["rate"] = row.rate;
  json["first_seen"] = wall_time(row.first_ns, names);
  json["last_seen"] = wall_time(row.last_ns, names);
  if (!row.samples.empty()) json["sample"] = sample_json(row.samples.back(), names);
  return json;
}

Json other_json(const DropTable& table, const Names& names) {
  Json json = head_json("drop_other", names);
  json["time"] = wall_time(table.time_ns, names);
  json["packets"] = table.other.packets;
  json["bytes"] = table.other.bytes;
  json["interval_packets"] = table.other_interval.packets;
  json["interval_ns"] = table.interval_ns;
  return json;
}

Json counter_json(const DropTable& table, const LossCounter& counter, const Names& names) {
  Json json = head_json("drop_counter", names);
  json["time"] = wall_time(table.time_ns, names);
  json["group"] = counter.group;
  json["name"] = counter.name;
  if (Json interface = interface_json(counter.interface, names); !interface.is_null())
    json["interface"] = std::move(interface);
  json["total"] = counter.total;
  json["interval"] = counter.interval;
  json["interval_ns"] = table.interval_ns;
  return json;
}

class DropJsonOutput final : public DropOutput {
 public:
  DropJsonOutput(Sink& sink, bool all) : sink_(sink), all_(all) {}

  bool interval(const DropTable& table, const Names& names) override {
    bool open = true;
    for (const auto& row : table.rows) {
      if (row.interval.packets != 0 && (row.loss || all_))
        open = open && write(row_json(table, row, names));
    }
    if (table.other_interval.packets != 0) open = open && write(other_json(table, names));
    for (const auto& counter : table.counters) {
      if (counter.interval != 0) open = open && write(counter_json(table, counter, names));
    }
    return open;
  }

  bool finish(const DropTable& table, const WatchSummary& summary, const Names& names) override {
    if (!interval(table, names)) return false;
    Json json = head_json("summary", names);
    json["packets"] = summary.packets;
    json["dropped"] = summary.dropped;
    json["events_lost"] = summary.events_lost;
    json["duration_ns"] = summary.duration_ns;
    return write(json);
  }

 private:
  bool write(const Json& json) { return sink_.write(json_line(json)); }

  Sink& sink_;
  const bool all_;
};

}  // namespace

std::unique_ptr<DropOutput> make_drop_json_output(Sink& sink, bool all) {
  return std::make_unique<DropJsonOutput>(sink, all);
}

}  // namespace dptrace
