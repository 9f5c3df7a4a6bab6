// A section of settings in YAML has keys, each with a function that takes its value. An unknown key
// is an error, and errors say which key of which line they are about.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "web/yaml.hpp"

namespace dptrace {

template <typename Into>
struct YamlKey {
  std::string_view name;
  Result<> (*take)(Into& into, const YamlNode& value);
};

/// Takes all keys of a section. `section` is its name for errors.
template <typename Into>
Result<> take_keys(std::span<const YamlKey<std::type_identity_t<Into>>> keys,
                   const std::string& section, Into& into, const YamlNode& map) {
  if (map.kind != YamlNode::Kind::kMap)
    return failure_at(map.line, fmt::format("{} has no keys below it", section));
  for (const auto& [name, value] : map.entries) {
    const auto found = std::find_if(keys.begin(), keys.end(),
                                    [&name = name](const auto& key) { return key.name == name; });
    if (found == keys.end()) {
      std::string known;
      for (const auto& key : keys) known += (known.empty() ? "" : ", ") + std::string(key.name);
      return failure_at(value.key_line,
                        fmt::format("{} has no key '{}': there are {}", section, name, known));
    }
    if (auto taken = found->take(into, value); !taken) {
      const auto& message = taken.error().message;
      const auto line = message.find(": ");
      return failure(
          fmt::format("{}: {}: {}", message.substr(0, line), name, message.substr(line + 2)));
    }
  }
  return {};
}

/// These read the value of a key; an error says what would be a value.
Result<std::string> word(const YamlNode& value);
Result<bool> yes_or_no(const YamlNode& value);
Result<std::vector<std::string>> words(const YamlNode& value);

/// Reads one of the words that `find` knows and lists (`accepted`).
template <typename Find>
auto known_word(const YamlNode& value, Find find)
    -> Result<typename decltype(find(std::string_view()))::value_type> {
  const auto text = word(value);
  if (!text) return tl::unexpected(text.error());
  if (const auto found = find(*text)) return *found;
  return failure_at(value.line,
                    fmt::format("'{}' is not supported: there are {}", *text, find.accepted()));
}

}  // namespace dptrace
