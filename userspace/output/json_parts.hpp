// What the JSON lines are made of; contract: schema version 1.
#pragma once

#include <nlohmann/json.hpp>

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

}  // namespace dptrace
