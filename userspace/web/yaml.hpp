// A YAML document as a tree that knows its lines. For settings: what could be read in two ways, as
// a key that is there twice, is refused.
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
  std::size_t key_line = 0;  ///< of the key that it is the value of
  std::string text;          ///< a scalar's; empty also where there is no value
  std::vector<YamlNode> items;
  std::vector<Entry> entries;
};

/// An error of settings, which a reader of the file finds by the line: `12: what is wrong`.
tl::unexpected<Error> failure_at(std::size_t line, std::string_view what);

/// Exactly one document, without anchors. Errors are as failure_at() writes them.
Result<YamlNode> parse_yaml(std::string_view text);

}  // namespace dptrace
