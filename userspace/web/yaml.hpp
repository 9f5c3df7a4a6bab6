// YamlNode is a YAML document as a tree that knows its lines. It is for settings, so text that
// could be read in two ways, as a key that occurs twice, is refused.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

struct YamlNode {
  enum class Kind { kScalar, kList, kMap };
  using Entry = std::pair<std::string, YamlNode>;

  Kind kind = Kind::kScalar;
  std::size_t line = 0;      ///< from 1
  std::size_t key_line = 0;  ///< line of the key whose value it is
  std::string text;          ///< text of a scalar; empty also when there is no value
  std::vector<YamlNode> items;
  std::vector<Entry> entries;
};

/// An error in settings, whose line lets a reader find it in the file: `12: what is wrong`.
tl::unexpected<Error> failure_at(std::size_t line, std::string_view what);

/// Parses exactly one document, without anchors. Errors have the form that failure_at() writes.
Result<YamlNode> parse_yaml(std::string_view text);

}  // namespace dptrace
