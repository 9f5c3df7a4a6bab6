#include "output/json_parts.hpp"
#include "output/output.hpp"
#include "words/hop_words.hpp"
#include "words/inference_words.hpp"

namespace dptrace {

namespace {

void add_hop(JsonLine& json, const Packet& packet, std::size_t index, const Names& names) {
  const Hop& hop = packet.hops[index];
  const Hop* before = index == 0 ? nullptr : &packet.hops[index - 1];
  json.element([&] {
    json.member("offset_ns", hop.time_ns - packet.start_ns());
    const std::string_view point = point_name(hop.point);
    if (!point.empty()) json.member("point", point);
    const std::string function = names.function(hop.function);
    if (!function.empty()) json.member("function", function);
    if (hop.netfilter) add_netfilter(json, "netfilter", *hop.netfilter, names);
    add_interface(json, "interface", hop.interface, names, hop.time_ns);
    if (hop.tunnel) add_tunnel(json, "tunnel", *hop.tunnel);
    if (is_translated(hop, before)) add_flow(json, "flow", hop.flow, names, hop.time_ns);
  });
}

void add_incomplete(JsonLine& json, Incomplete incomplete) {
  if (incomplete == Incomplete::kNo) return;
  json.member("complete", false);
  json.member("incomplete_because",
              incomplete == Incomplete::kEventsLost ? "events-lost" : "not-armed");
}

/// JsonOutput writes JSON Lines: one object for each packet, and one for the summary.
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
    add_flow(json, "flow", packet.flow(), names, packet.start_ns(), packet.retransmission);
    json.array("hops", [&] {
      for (std::size_t i = 0; i < packet.hops.size(); ++i) add_hop(json, packet, i, names);
    });
    if (packet.drop) add_drop(json, "drop", packet, *packet.drop, names);
    add_drops(json, packet, names);
    add_copies(json, packet, names);
    if (const auto inference = inference_of(packet, names))
      json.object("inference", [&] { add_explanation(json, *inference); });
    if (packet.segments != 0) json.member("segments", packet.segments);
    if (packet.part_kind) json.member("part_kind", part_kind_name(*packet.part_kind));
    if (packet.nobody_wanted) json.member("nobody_wanted", true);
    if (packet.unanswered) json.member("unanswered", true);
    if (packet.reader_closed) json.member("reader_closed", true);
    if (packet.left_out != 0) json.member("events_left_out", packet.left_out);
    add_incomplete(json, packet.incomplete);
    if (packet.merged_into != 0)
      json.member("merged_into", fmt::format("{:016x}", packet.merged_into));
    return sink_.write(json.end());
  }

  bool summary(const Summary& summary, const Names& names) override {
    JsonLine json(text_, "summary");
    add_node_name(json, names);
    json.member("packets", summary.total());
    json.member("dropped", summary.packets[static_cast<std::size_t>(Verdict::kDropped)]);
    if (summary.lost_copies != 0) json.member("packets_with_dropped_copies", summary.lost_copies);
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
