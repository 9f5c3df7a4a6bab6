#include "record/payload.hpp"

#include <concepts>
#include <nlohmann/json.hpp>
#include <utility>

#include "model/foreign.hpp"

namespace dptrace::record {

namespace {

using Json = nlohmann::json;

std::string text_of(const Json& json) {
  // Device names are bytes, not necessarily UTF-8.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// Calls `write(key, value)` for each entry that `written` lacks or has with another value.
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

Json netns_payload(std::uint32_t inode, const Netns& netns) {
  return {{"inode", inode},
          {"name", netns.name},
          {"pod", netns.pod},
          {"is_node", netns.is_node},
          {"path", netns.path}};
}

Json interface_payload(const Interface& interface) {
  return {{"netns", interface.id.netns},
          {"index", interface.id.index},
          {"name", interface.name},
          {"kind", interface.kind},
          {"role", role_name(interface.role)},
          {"mtu", interface.mtu},
          {"peer_netns", interface.peer_netns},
          {"master", interface.master}};
}

Json rule_payload(const RuleId& id, const RuleText& rule) {
  return {{"netns", id.netns},       {"ruleset", id.ruleset}, {"table", id.table},
          {"revision", id.revision}, {"rule", id.number},     {"chain", rule.chain},
          {"number", rule.number},   {"text", rule.text},     {"jump", rule.jump},
          {"changed", rule.changed}};
}

Json explanation_payload(const DropId& id, const Explanation& explanation) {
  Json json = {{"time_ns", id.time_ns},
               {"netns", id.netns},
               {"index", id.index},
               {"cause", explanation.cause},
               {"sentence", explanation.sentence},
               {"evidence", explanation.evidence},
               {"fix", explanation.fix}};
  if (explanation.fix_netns != 0) json["fix_netns"] = explanation.fix_netns;
  return json;
}

/// Thrown when a member has another type than it should, or a number that is too large.
struct WrongValue {};

void take(const Json& json, std::string& value) {
  const auto* text = json.get_ptr<const std::string*>();
  if (text == nullptr) throw WrongValue();
  value = clean_name(*text);
}

void take(const Json& json, bool& value) {
  if (!json.is_boolean()) throw WrongValue();
  value = json.get<bool>();
}

template <std::integral T>
void take(const Json& json, T& value) {
  const auto* positive = json.get_ptr<const Json::number_unsigned_t*>();
  const auto* number = json.get_ptr<const Json::number_integer_t*>();
  if (positive != nullptr && std::in_range<T>(*positive)) {
    value = static_cast<T>(*positive);
  } else if (positive == nullptr && number != nullptr && std::in_range<T>(*number)) {
    value = static_cast<T>(*number);
  } else {
    throw WrongValue();
  }
}

template <typename T>
void read(const Json& json, const char* key, T& value) {
  const auto found = json.find(key);
  if (found != json.end()) take(*found, value);
}

template <typename T>
T required(const Json& json, const char* key) {
  T value{};
  const auto found = json.find(key);
  if (found == json.end()) throw WrongValue();
  take(*found, value);
  return value;
}

/// Calls `visit` with each element of an array that may be missing.
template <typename Visit>
void each_of(const Json& json, const char* key, Visit visit) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  if (!found->is_array()) throw WrongValue();
  for (const Json& element : *found) {
    if (!element.is_object()) throw WrongValue();
    visit(element);
  }
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
  read(json, "master", interface.master);
  interface.role = role_from_name(role);
  return interface;
}

void read_rule(const Json& json, Names& names) {
  const RuleId id = {
      required<std::uint32_t>(json, "netns"), required<std::uint8_t>(json, "ruleset"),
      required<std::uint64_t>(json, "table"), required<std::uint64_t>(json, "revision"),
      required<std::uint64_t>(json, "rule")};
  RuleText& rule = names.rules[id];
  read(json, "chain", rule.chain);
  read(json, "number", rule.number);
  read(json, "text", rule.text);
  read(json, "jump", rule.jump);
  read(json, "changed", rule.changed);
}

void read_texts(const Json& json, const char* key, std::vector<std::string>& texts) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  if (!found->is_array()) throw WrongValue();
  for (const Json& text : *found) take(text, texts.emplace_back());
}

void read_explanation(const Json& json, Names& names) {
  const DropId id = {required<std::uint64_t>(json, "time_ns"),
                     required<std::uint32_t>(json, "netns"),
                     required<std::uint32_t>(json, "index")};
  Explanation explanation;
  read(json, "cause", explanation.cause);
  read(json, "sentence", explanation.sentence);
  read_texts(json, "evidence", explanation.evidence);
  read_texts(json, "fix", explanation.fix);
  read(json, "fix_netns", explanation.fix_netns);
  names.explanations[id] = std::make_shared<Explanation>(std::move(explanation));
}

Netns read_netns(const Json& json) {
  Netns netns;
  read(json, "name", netns.name);
  read(json, "pod", netns.pod);
  read(json, "is_node", netns.is_node);
  read(json, "path", netns.path);
  return netns;
}

// Reads the former owners of numbers and addresses, whose names are not those of the new ones.
void read_former(const Json& json, Names& names) {
  each_of(json, "former_netns", [&](const Json& entry) {
    const auto inode = required<std::uint32_t>(entry, "inode");
    const auto until_ns = required<std::uint64_t>(entry, "until_ns");
    FormerNetns former{read_netns(entry), {}};
    each_of(entry, "interfaces", [&](const Json& described) {
      Interface interface = read_interface(described);
      const auto index = interface.id.index;
      former.interfaces[index] = std::move(interface);
    });
    names.begin_netns(inode, until_ns);
    names.former_netns.add(inode, until_ns, std::move(former));
  });
  each_of(json, "former_pods", [&](const Json& entry) {
    const auto address = Address::parse(required<std::string>(entry, "address"));
    if (!address) throw WrongValue();
    names.former_pods.add(*address, required<std::uint64_t>(entry, "until_ns"),
                          required<std::string>(entry, "pod"));
  });
}

// The sum of this time and the time of an event, which is less than this, is still a valid time.
constexpr std::int64_t kLatestClockNs = std::int64_t{1} << 62;

void read_all_names(const Json& json, Names& names) {
  read_former(json, names);
  read(json, "node_name", names.node_name);
  read(json, "kernel_release", names.kernel_release);
  read(json, "wall_clock_offset_ns", names.wall_clock_offset_ns);
  if (names.wall_clock_offset_ns < -kLatestClockNs || names.wall_clock_offset_ns > kLatestClockNs)
    throw WrongValue();
  read(json, "home_netns", names.home_netns);
  read(json, "sockets_unseen", names.sockets_unseen);
  each_of(json, "interfaces", [&](const Json& entry) {
    Interface interface = read_interface(entry);
    const InterfaceId id = interface.id;
    names.interfaces[id] = std::move(interface);
  });
  each_of(json, "netns", [&](const Json& entry) {
    names.netns[required<std::uint32_t>(entry, "inode")] = read_netns(entry);
  });
  if (const auto pods = json.find("pods"); pods != json.end()) {
    if (!pods->is_object()) throw WrongValue();
    for (const auto& [text, pod] : pods->items()) {
      const auto address = Address::parse(text);
      if (address) take(pod, names.pods[*address]);
    }
  }
  each_of(json, "reasons", [&](const Json& entry) {
    names.reasons[required<std::uint32_t>(entry, "code")] = required<std::string>(entry, "name");
  });
  each_of(json, "symbols", [&](const Json& entry) {
    Symbol& symbol = names.symbols[required<std::uint64_t>(entry, "address")];
    read(entry, "name", symbol.name);
    read(entry, "start", symbol.start);
  });
  each_of(json, "rules", [&](const Json& entry) { read_rule(entry, names); });
  each_of(json, "explanations", [&](const Json& entry) { read_explanation(entry, names); });
}

/// Parses a payload and hands it to `take`. False when the text is no JSON, or a type is not what
/// `take` wants.
template <typename Take>
bool read_payload(std::string_view payload, Take take_all) {
  if (!is_modest_json(payload)) return false;
  const Json json = Json::parse(payload, nullptr, false);
  if (!json.is_object()) return false;
  try {
    take_all(json);
  } catch (const WrongValue&) {
    return false;
  }
  return true;
}

/// Adds the numbers and addresses that got another owner since the last call. Their names are then
/// written again.
void add_new_former(Json& json, const Names& names, Names& written) {
  for (const auto& [inode, owners] : names.former_netns.all()) {
    for (const auto& [until_ns, former] : owners) {
      if (written.former_netns.has(inode, until_ns)) continue;
      Json entry = netns_payload(inode, former.netns);
      entry["until_ns"] = until_ns;
      for (const auto& [index, interface] : former.interfaces)
        entry["interfaces"].push_back(interface_payload(interface));
      json["former_netns"].push_back(std::move(entry));
      written.begin_netns(inode, until_ns);
    }
  }
  for (const auto& [address, owners] : names.former_pods.all()) {
    for (const auto& [until_ns, pod] : owners) {
      if (written.former_pods.has(address, until_ns)) continue;
      json["former_pods"].push_back(
          {{"address", address.text()}, {"until_ns", until_ns}, {"pod", pod}});
      written.former_pods.add(address, until_ns, {});
    }
  }
}

}  // namespace

std::string new_names(const Names& names, Names& written, Disguise& disguise) {
  Json json = Json::object();
  add_new_former(json, names, written);
  add_new(json, "node_name", names.node_name, written.node_name);
  add_new(json, "kernel_release", names.kernel_release, written.kernel_release);
  add_new(json, "wall_clock_offset_ns", names.wall_clock_offset_ns, written.wall_clock_offset_ns);
  add_new(json, "home_netns", names.home_netns, written.home_netns);
  add_new(json, "sockets_unseen", names.sockets_unseen, written.sockets_unseen);
  each_new(names.interfaces, written.interfaces, [&](InterfaceId, const Interface& interface) {
    json["interfaces"].push_back(interface_payload(interface));
  });
  each_new(names.netns, written.netns, [&](std::uint32_t inode, const Netns& netns) {
    json["netns"].push_back(netns_payload(inode, netns));
  });
  each_new(names.pods, written.pods, [&](const Address& address, const std::string& pod) {
    json["pods"][address.text()] = pod;
  });
  each_new(names.reasons, written.reasons, [&](std::uint32_t code, const std::string& name) {
    json["reasons"].push_back({{"code", code}, {"name", name}});
  });
  each_new(names.symbols, written.symbols, [&](std::uint64_t address, const Symbol& symbol) {
    const Symbol disguised = disguise.symbol(address, symbol);
    json["symbols"].push_back({{"address", disguise.code(address)},
                               {"name", disguised.name},
                               {"start", disguised.start}});
  });
  each_new(names.rules, written.rules, [&](const RuleId& id, const RuleText& rule) {
    json["rules"].push_back(rule_payload(disguise.rule(id), rule));
  });
  each_new(names.explanations, written.explanations,
           [&](const DropId& id, const std::shared_ptr<const Explanation>& explanation) {
             json["explanations"].push_back(explanation_payload(id, *explanation));
           });
  // Drops that are forgotten were written long ago.
  auto& done = written.explanations;
  if (!names.explanations.empty())
    done.erase(done.begin(), done.lower_bound(names.explanations.begin()->first));
  return json.empty() ? std::string() : text_of(json);
}

std::string pods_payload(const std::vector<Address>& pods) {
  Json json = {{"pods", Json::array()}};
  for (const Address& pod : pods) json["pods"].push_back(pod.text());
  return text_of(json);
}

std::string summary_payload(const Summary& summary) {
  Json json = {{"events", summary.events},
               {"events_lost", summary.events_lost},
               {"forgotten", summary.forgotten},
               {"duration_ns", summary.duration_ns},
               {"told_until_ns", summary.told_until_ns},
               {"drops", summary.drops},
               {"packets", Json::object()}};
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
    const auto found = json.find("pods");
    if (found == json.end()) return;
    if (!found->is_array()) throw WrongValue();
    for (const Json& element : *found) {
      std::string text;
      take(element, text);
      if (const auto address = Address::parse(text)) pods.push_back(*address);
    }
  });
}

bool read_summary(std::string_view payload, Summary& summary) {
  return read_payload(payload, [&](const Json& json) {
    read(json, "events", summary.events);
    read(json, "events_lost", summary.events_lost);
    read(json, "forgotten", summary.forgotten);
    read(json, "duration_ns", summary.duration_ns);
    read(json, "told_until_ns", summary.told_until_ns);
    const auto drops = json.find("drops");
    if (drops != json.end()) {
      if (!drops->is_object()) throw WrongValue();
      for (const auto& [name, count] : drops->items()) take(count, summary.drops[clean_name(name)]);
    }
    const auto packets = json.find("packets");
    if (packets == json.end()) return;
    if (!packets->is_object()) throw WrongValue();
    for (std::size_t i = 0; i < kVerdicts; ++i) {
      read(*packets, std::string(verdict_name(static_cast<Verdict>(i))).c_str(),
           summary.packets[i]);
    }
  });
}

}  // namespace dptrace::record
