#include "output/json_parts.hpp"
#include "output/output.hpp"

namespace dptrace {

namespace {

void add_hop(JsonLine& json, const Packet& packet, const Hop& hop, const Names& names) {
  json.element([&] {
    json.member("offset_ns", hop.time_ns - packet.start_ns());
    const std::string_view point = point_name(hop.point);
    if (!point.empty()) json.member("point", point);
    const std::string function = names.function(hop.function);
    if (!function.empty()) json.member("function", function);
    if (hop.netfilter) add_netfilter(json, "netfilter", *hop.netfilter, names);
    add_interface(json, "interface", hop.interface, names);
    if (hop.tunnel) add_tunnel(json, "tunnel", *hop.tunnel);
    if (hop.new_flow) add_flow(json, "flow", hop.flow, names);
  });
}

/// JSON Lines: one object per packet, one for the summary.
class JsonOutput : public Output {
 public:
  explicit JsonOutput(Sink& sink) : sink_(sink) {}

  bool packet(const Packet& packet, const Names& names) override {
    JsonLine json(text_, "packet");
    json.member("packet_id", fmt::format("{:016x}", packet.id));
    add_node_name(json, names);
    add_time(json, "time", packet.start_ns(), clock_, names);
    json.member("verdict", verdict_name(packet.verdict));
    json.member("duration_ns", packet.duration_ns());
    if (packet.flow().length != 0) json.member("length", packet.flow().length);
    add_flow(json, "flow", packet.flow(), names);
    json.array("hops", [&] {
      for (const Hop& hop : packet.hops) add_hop(json, packet, hop, names);
    });
    if (packet.drop) add_drop(json, "drop", *packet.drop, names);
    if (packet.segments != 0) json.member("segments", packet.segments);
    if (packet.merged_into != 0)
      json.member("merged_into", fmt::format("{:016x}", packet.merged_into));
    return sink_.write(json.end());
  }

  bool summary(const Summary& summary, const Names& names) override {
    JsonLine json(text_, "summary");
    add_node_name(json, names);
    json.member("packets", summary.total());
    json.member("dropped", summary.packets[static_cast<std::size_t>(Verdict::kDropped)]);
    json.member("events", summary.events);
    json.member("events_lost", summary.events_lost);
    if (summary.forgotten != 0) json.member("packets_forgotten", summary.forgotten);
    json.member("duration_ns", summary.duration_ns);
    return sink_.write(json.end());
  }

 private:
  Sink& sink_;
  TimeText clock_{TimeText::Form::kRfc3339};
  Buffer text_;
};

}  // namespace

std::unique_ptr<Output> make_json_output(Sink& sink, OutputOptions /*options*/) {
  return std::make_unique<JsonOutput>(sink);
}

}  // namespace dptrace
