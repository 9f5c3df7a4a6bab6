// These functions write the parts of JSON lines; the contract is schema version 1. Each function
// adds a member of the given name, or nothing where nothing is known.
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
/// Adds the pods too that had the addresses at `at_ns` (CLOCK_MONOTONIC, ns), as add_interface()
/// does with names.
void add_flow(JsonLine& json, std::string_view name, const dpt_flow& flow, const Names& names,
              std::uint64_t at_ns, bool retransmission = false);
void add_tunnel(JsonLine& json, std::string_view name, const dpt_tunnel& tunnel);
void add_netfilter(JsonLine& json, std::string_view name, const NetfilterVerdict& netfilter,
                   const Names& names);
void add_interface(JsonLine& json, std::string_view name, InterfaceId id, const Names& names,
                   std::uint64_t at_ns);
void add_drop(JsonLine& json, std::string_view name, const Packet& packet, const Drop& drop,
              const Names& names);
/// Adds `drops`: every loss of a part or copy.
void add_drops(JsonLine& json, const Packet& packet, const Names& names);
/// Adds `copies`: what became of each copy, with its drop.
void add_copies(JsonLine& json, const Packet& packet, const Names& names);
/// Adds `cause` and what is known of it.
void add_explanation(JsonLine& json, const Explanation& explanation);
/// The kind's name, `segment` or `fragment`.
std::string_view part_kind_name(Part::Kind kind);
/// Adds `reason` and `reason_code`.
void add_reason(JsonLine& json, const std::optional<std::uint32_t>& reason, const Names& names);
/// Adds the functions of the stack, from the one that dropped outwards.
void add_stack(JsonLine& json, std::string_view name, const Drop& drop, const Names& names);
/// Adds a CLOCK_MONOTONIC time as RFC 3339 has it; `clock` must have that form.
void add_time(JsonLine& json, std::string_view name, std::uint64_t time_ns, TimeText& clock,
              const Names& names);

}  // namespace dptrace
