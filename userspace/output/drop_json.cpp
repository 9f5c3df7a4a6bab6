#include "model/flow.hpp"
#include "output/drop_output.hpp"
#include "output/json_parts.hpp"
#include "words/drop_words.hpp"
#include "words/protocol_words.hpp"

namespace dptrace {

namespace {

void add_pod(JsonLine& json, const Address& address, const Names& names, std::uint64_t at_ns) {
  json.object("pod", [&] {
    json.member("ip", address.text());
    const auto pod = names.pod_of_address(address, at_ns);
    if (!pod.empty()) json.member("pod", pod);
  });
}

class DropJsonOutput final : public DropOutput {
 public:
  DropJsonOutput(Sink& sink, bool all) : sink_(sink), all_(all) {}

  bool interval(const DropTable& table, const Names& names) override {
    bool open = true;
    for (const auto& row : table.rows) {
      if (row.interval.packets != 0 && (row.is_loss() || all_))
        open = open && write_row(table, row, names);
    }
    if (table.other_interval.packets != 0) open = open && write_other(table, names);
    for (const auto& counter : table.counters) {
      if (counter.interval != 0) open = open && write_counter(table, counter, names);
    }
    return open;
  }

  bool finish(const DropTable& table, const DropSummary& summary, const Names& names) override {
    if (!interval(table, names)) return false;
    JsonLine json(text_, "summary");
    add_node_name(json, names);
    json.member("packets", summary.packets);
    json.member("dropped", summary.dropped);
    json.member("events_lost", summary.events_lost);
    json.member("duration_ns", summary.duration_ns);
    return sink_.write(json.end());
  }

 private:
  JsonLine begin(std::string_view type, const DropTable& table, const Names& names) {
    JsonLine json(text_, type);
    add_node_name(json, names);
    add_time(json, "time", table.time_ns, clock_, names);
    return json;
  }

  bool write_row(const DropTable& table, const DropRow& row, const Names& names) {
    JsonLine json = begin("drop_kind", table, names);
    add_reason(json, row.kind.reason, names);
    if (row.kind.folded) {
      json.member("folded", true);
    } else {
      json.member("location", names.location(row.kind.location));
    }
    add_interface(json, "interface", row.kind.interface, names, row.named_at_ns());
    if (row.kind.family != 0) json.member("family", row.kind.family == 4 ? "ipv4" : "ipv6");
    if (const auto protocol = drop_protocol_name(row.kind); !protocol.empty())
      json.member("protocol", protocol);
    if (row.kind.family != 0 && is_icmp(row.kind.protocol))
      json.member("icmp_type", row.kind.icmp_type);
    if (row.kind.is_for_many()) json.member("multicast", true);
    if (row.kind.pod) add_pod(json, *row.kind.pod, names, row.named_at_ns());
    json.member("loss", row.is_loss());
    if (!row.is_loss()) json.member("end", end_name(row.end));
    if (const auto explanation = explanation_of(row, names)) add_explanation(json, *explanation);
    json.member("packets", row.total.packets);
    json.member("bytes", row.total.bytes);
    json.member("interval_packets", row.interval.packets);
    json.member("interval_bytes", row.interval.bytes);
    json.member("interval_ns", table.interval_ns);
    json.member("rate", row.rate);
    add_time(json, "first_seen", row.first_ns, clock_, names);
    add_time(json, "last_seen", row.last_ns, clock_, names);
    if (!row.samples.empty()) add_sample(json, row.samples.back(), names);
    return sink_.write(json.end());
  }

  void add_sample(JsonLine& json, const DropSample& sample, const Names& names) {
    json.object("sample", [&] {
      add_time(json, "time", sample.drop.time_ns, clock_, names);
      json.member("length", sample.length);
      add_flow(json, "flow", sample.flow, names, sample.drop.time_ns);
      if (sample.tunnel) add_tunnel(json, "tunnel", *sample.tunnel);
      add_stack(json, "stack", sample.drop, names);
    });
  }

  bool write_other(const DropTable& table, const Names& names) {
    JsonLine json = begin("drop_other", table, names);
    json.member("packets", table.other.packets);
    json.member("bytes", table.other.bytes);
    json.member("interval_packets", table.other_interval.packets);
    json.member("interval_ns", table.interval_ns);
    return sink_.write(json.end());
  }

  bool write_counter(const DropTable& table, const LossCounter& counter, const Names& names) {
    JsonLine json = begin("drop_counter", table, names);
    json.member("group", counter.group);
    json.member("name", counter.name);
    add_interface(json, "interface", counter.interface, names, kLatest);
    json.member("total", counter.total);
    json.member("interval", counter.interval);
    json.member("interval_ns", table.interval_ns);
    return sink_.write(json.end());
  }

  Sink& sink_;
  const bool all_;
  TimeText clock_{TimeText::Form::kRfc3339};
  Buffer text_;
};

}  // namespace

std::unique_ptr<DropOutput> make_drop_json_output(Sink& sink, bool all) {
  return std::make_unique<DropJsonOutput>(sink, all);
}

}  // namespace dptrace
