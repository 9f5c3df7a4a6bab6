// What the JSON lines are made of; contract: schema version 1.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "model/names.hpp"
#include "model/packet.hpp"

namespace dptrace {

using Json = nlohmann::ordered_json;

Json flow_json(const dpt_flow& flow, const Names& names);
Json tunnel_json(const dpt_tunnel& tunnel);
Json netfilter_json(const NetfilterVerdict& netfilter, const Names& names);
/// Null when there is none.
Json interface_json(InterfaceId id, const Names& names);
Json drop_json(const Drop& drop, const Names& names);
/// Functions from the one that dropped outwards; an empty array when they are not known.
Json stack_json(const Drop& drop, const Names& names);

/// How every line begins; with the node's name when `names` has one.
Json head_json(std::string_view type);
Json head_json(std::string_view type, const Names& names);
/// RFC 3339 of a CLOCK_MONOTONIC time.
std::string wall_time(std::uint64_t time_ns, const Names& names);
/// With the newline.
std::string json_line(const Json& json);

}  // namespace dptrace
