#include "output/json_parts.hpp"
#include "output/output.hpp"
#include "output/style.hpp"
#include "output/time_text.hpp"

namespace dptrace {

namespace {

Json hop_json(const Packet& packet, const Hop& hop, const Names& names) {
  Json json;
  json["offset_ns"] = hop.time_ns - packet.start_ns();
  const std::string_view point = point_name(hop.point);
  if (!point.empty()) json["point"] = point;
  const std::string function = names.function(hop.function);
  if (!function.empty()) json["function"] = function;
  if (hop.netfilter) json["netfilter"] = netfilter_json(*hop.netfilter, names);
  Json interface = interface_json(hop.interface, names);
  if (!interface.is_null()) json["interface"] = std::move(interface);
  if (hop.tunnel) json["tunnel"] = tunnel_json(*hop.tunnel);
  if (hop.new_flow) json["flow"] = flow_json(hop.flow, names);
  return json;
}

/// JSON Lines: one object per packet, one for the summary.
class JsonOutput : public Output {
 public:
  explicit JsonOutput(Sink& sink) : sink_(sink) {}

  bool packet(const Packet& packet, const Names& names) override {
    Json json = head_json("packet");
    json["packet_id"] = fmt::format("{:016x}", packet.id);
    if (!names.node_name.empty()) json["node_name"] = names.node_name;
    json["time"] = time_of(packet, names);
    json["verdict"] = verdict_name(packet.verdict);
    json["duration_ns"] = packet.duration_ns();
    if (packet.flow().length != 0) json["length"] = packet.flow().length;
    Json flow = flow_json(packet.flow(), names);
    if (!flow.empty()) json["flow"] = std::move(flow);
    Json& hops = json["hops"] = Json::array();
    for (const Hop& hop : packet.hops) hops.push_back(hop_json(packet, hop, names));
    if (packet.drop) json["drop"] = drop_json(*packet.drop, names);
    if (packet.segments != 0) json["segments"] = packet.segments;
    if (packet.merged_into != 0) json["merged_into"] = fmt::format("{:016x}", packet.merged_into);
    return write(json);
  }

  bool summary(const Summary& summary, const Names& names) override {
    Json json = head_json("summary");
    if (!names.node_name.empty()) json["node_name"] = names.node_name;
    json["packets"] = summary.total();
    json["dropped"] = summary.packets[static_cast<std::size_t>(Verdict::kDropped)];
    json["events"] = summary.events;
    json["events_lost"] = summary.events_lost;
    if (summary.forgotten != 0) json["packets_forgotten"] = summary.forgotten;
    json["duration_ns"] = summary.duration_ns;
    return write(json);
  }

 private:
  std::string time_of(const Packet& packet, const Names& names) {
    time_.clear();
    clock_.append_to(time_,
                     static_cast<std::int64_t>(packet.start_ns()) + names.wall_clock_offset_ns);
    return fmt::to_string(time_);
  }

  bool write(const Json& json) { return sink_.write(json_line(json)); }

  Sink& sink_;
  TimeText clock_{TimeText::Form::kRfc3339};
  Buffer time_;
};

}  // namespace

std::unique_ptr<Output> make_json_output(Sink& sink, OutputOptions /*options*/) {
  return std::make_unique<JsonOutput>(sink);
}

}  // namespace dptrace
