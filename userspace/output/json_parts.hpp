// The parts that JSON lines are made of; contract: schema version 1. Each function adds a member of
// the name it is given, or nothing where nothing is known.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"
#include "output/json_line.hpp"
#include "words/time_text.hpp"

namespace dptrace {

void add_node_name(JsonLine& json, const Names& names);
/// With the pods that had the addresses at `at_ns` (CLOCK_MONOTONIC), as the interface's names.
void add_flow(JsonLine& json, std::string_view name, const dpt_flow& flow, const Names& names,
              std::uint64_t at_ns, bool retransmission = false);
void add_tunnel(JsonLine& json, std::string_view name, const dpt_tunnel& tunnel);
void add_netfilter(JsonLine& json, std::string_view name, const NetfilterVerdict& netfilter,
                   const Names& names);
void add_interface(JsonLine& json, std::string_view name, InterfaceId id, const Names& names,
                   std::uint64_t at_ns);
void add_drop(JsonLine& json, std::string_view name, const Drop& drop, const Names& names);
/// `drops`: every loss of a part or copy.
void add_drops(JsonLine& json, const Packet& packet, const Names& names);
/// `copies`: what became of each, with its drop.
void add_copies(JsonLine& json, const Packet& packet, const Names& names);
/// `segment`, `fragment`.
std::string_view part_kind_name(Part::Kind kind);
/// `reason` and `reason_code`.
void add_reason(JsonLine& json, const std::optional<std::uint32_t>& reason, const Names& names);
/// Functions from the one that dropped outwards.
void add_stack(JsonLine& json, std::string_view name, const Drop& drop, const Names& names);
/// RFC 3339 of a CLOCK_MONOTONIC time, with a clock of that form.
void add_time(JsonLine& json, std::string_view name, std::uint64_t time_ns, TimeText& clock,
              const Names& names);

}  // namespace dptrace
