#include "web/yaml_section.hpp"

namespace dptrace {

using Kind = YamlNode::Kind;

Result<std::string> word(const YamlNode& value) {
  if (value.kind != Kind::kScalar || value.text.empty())
    return failure_at(value.key_line, "it has no value: give one, or leave the key out");
  return value.text;
}

Result<bool> yes_or_no(const YamlNode& value) {
  if (value.kind == Kind::kScalar && value.text == "true") return true;
  if (value.kind == Kind::kScalar && value.text == "false") return false;
  return failure_at(value.key_line, "it is true or false");
}

Result<std::vector<std::string>> words(const YamlNode& value) {
  if (value.kind != Kind::kList || value.items.empty())
    return failure_at(value.key_line, "it is a list, each line of it begins with '- '");
  std::vector<std::string> found;
  for (const auto& item : value.items) {
    if (item.kind != Kind::kScalar || item.text.empty())
      return failure_at(item.line, "an item of this list is a word");
    found.push_back(item.text);
  }
  return found;
}

}  // namespace dptrace
