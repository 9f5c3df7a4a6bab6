#include "record/payload.hpp"

#include <nlohmann/json.hpp>

namespace dptrace::record {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) {
  // Device names are bytes, not necessarily UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Calls `write(key, value)` for each entry that `written` has not, or has otherwise.
template <typename Map, typename Write>
void each_new(const Map& current, Map& written, Write write) {
  auto position = written.begin();
  for (const auto& [key, value] : current) {
    while (position != written.end() && position->first < key) ++position;
    const bool there = position != written.end() && !(key < position->first);
    if (there && position->second == value) continue;
    if (there) {
      position->second = value;
    } else {
      position = written.emplace_hint(position, key, value);
    }
    write(key, value);
  }
}

template <typename T>
void add_new(Json& json, const char* key, const T& current, T& written) {
  if (current == written) return;
  json[key] = current;
  written = current;
}

Json interface_payload(const Interface& interface) {
  return {{"netns", interface.id.netns},
          {"index", interface.id.index},
          {"name", interface.name},
          {"kind", interface.kind},
          {"role", role_name(interface.role)},
          {"mtu", interface.mtu},
          {"peer_netns", interface.peer_netns}};
}

template <typename T>
void read(const Json& json, const char* key, T& value) {
  const auto found = json.find(key);
  if (found != json.end()) found->get_to(value);
}

Interface read_interface(const Json& json) {
  Interface interface;
  std::string role;
  read(json, "netns", interface.id.netns);
  read(json, "index", interface.id.index);
  read(json, "name", interface.name);
  read(json, "kind", interface.kind);
  read(json, "role", role);
  read(json, "mtu", interface.mtu);
  read(json, "peer_netns", interface.peer_netns);
  interface.role = role_from_name(role);
  return interface;
}

void read_all_names(const Json& json, Names& names) {
  read(json, "node_name", names.node_name);
  read(json, "kernel_release", names.kernel_release);
  read(json, "wall_clock_offset_ns", names.wall_clock_offset_ns);
  read(json, "home_netns", names.home_netns);
  for (const Json& entry : json.value("interfaces", Json::array())) {
    Interface interface = read_interface(entry);
    const InterfaceId id = interface.id;
    names.interfaces[id] = std::move(interface);
  }
  for (const Json& entry : json.value("netns", Json::array())) {
    Netns& netns = names.netns[entry.at("inode").get<std::uint32_t>()];
    read(entry, "name", netns.name);
    read(entry, "pod", netns.pod);
  }
  const Json pods = json.value("pods", Json::object());
  for (const auto& [text, pod] : pods.items()) {
    const auto address = Address::parse(text);
    if (address) names.pods[*address] = pod.get<std::string>();
  }
  for (const Json& entry : json.value("reasons", Json::array())) {
    names.reasons[entry.at("code").get<std::uint32_t>()] = entry.at("name").get<std::string>();
  }
  for (const Json& entry : json.value("symbols", Json::array())) {
    Symbol& symbol = names.symbols[entry.at("address").get<std::uint64_t>()];
    read(entry, "name", symbol.name);
    read(entry, "start", symbol.start);
  }
}

/// Parses and hands on; false when the text or a type is not what `take` wants.
template <typename Take>
bool read_payload(std::string_view payload, Take take) {
  const Json json = Json::parse(payload, nullptr, false);
  if (!json.is_object()) return false;
  try {
    take(json);
  } catch (const Json::exception&) {
    return false;
  }
  return true;
}

}  // namespace

std::string new_names(const Names& names, Names& written) {
  Json json = Json::object();
  add_new(json, "node_name", names.node_name, written.node_name);
  add_new(json, "kernel_release", names.kernel_release, written.kernel_release);
  add_new(json, "wall_clock_offset_ns", names.wall_clock_offset_ns, written.wall_clock_offset_ns);
  add_new(json, "home_netns", names.home_netns, written.home_netns);
  each_new(names.interfaces, written.interfaces, [&](InterfaceId, const Interface& interface) {
    json["interfaces"].push_back(interface_payload(interface));
  });
  each_new(names.netns, written.netns, [&](std::uint32_t inode, const Netns& netns) {
    json["netns"].push_back({{"inode", inode}, {"name", netns.name}, {"pod", netns.pod}});
  });
  each_new(names.pods, written.pods, [&](const Address& address, const std::string& pod) {
    json["pods"][address.text()] = pod;
  });
  each_new(names.reasons, written.reasons, [&](std::uint32_t code, const std::string& name) {
    json["reasons"].push_back({{"code", code}, {"name", name}});
  });
  each_new(names.symbols, written.symbols, [&](std::uint64_t address, const Symbol& symbol) {
    json["symbols"].push_back(
        {{"address", address}, {"name", symbol.name}, {"start", symbol.start}});
  });
  return json.empty() ? std::string() : text_of(json);
}

std::string pods_payload(const std::vector<Address>& pods) {
  Json json = {{"pods", Json::array()}};
  for (const Address& pod : pods) json["pods"].push_back(pod.text());
  return text_of(json);
}

std::string summary_payload(const Summary& summary) {
  Json json = {{"events", summary.events},       {"events_lost", summary.events_lost},
               {"forgotten", summary.forgotten}, {"duration_ns", summary.duration_ns},
               {"drops", summary.drops},         {"packets", Json::object()}};
  for (std::size_t i = 0; i < kVerdicts; ++i) {
    json["packets"][std::string(verdict_name(static_cast<Verdict>(i)))] = summary.packets[i];
  }
  return text_of(json);
}

bool read_names(std::string_view payload, Names& names) {
  return read_payload(payload, [&](const Json& json) { read_all_names(json, names); });
}

bool read_pods(std::string_view payload, std::vector<Address>& pods) {
  return read_payload(payload, [&](const Json& json) {
    for (const Json& text : json.value("pods", Json::array())) {
      const auto address = Address::parse(text.get<std::string>());
      if (address) pods.push_back(*address);
    }
  });
}

bool read_summary(std::string_view payload, Summary& summary) {
  return read_payload(payload, [&](const Json& json) {
    read(json, "events", summary.events);
    read(json, "events_lost", summary.events_lost);
    read(json, "forgotten", summary.forgotten);
    read(json, "duration_ns", summary.duration_ns);
    read(json, "drops", summary.drops);
    const Json packets = json.value("packets", Json::object());
    for (std::size_t i = 0; i < kVerdicts; ++i) {
      read(packets, std::string(verdict_name(static_cast<Verdict>(i))).c_str(), summary.packets[i]);
    }
  });
}

}  // namespace dptrace::record
