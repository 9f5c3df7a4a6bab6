#include "web/yaml.hpp"

#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>
#include <set>

namespace dptrace {

namespace {

class Parser {
 public:
  explicit Parser(std::string_view text) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Parser() {
    forget();
    yaml_parser_delete(&parser_);
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  Result<YamlNode> parse() {
    if (auto loaded = load(); !loaded) return tl::unexpected(loaded.error());
    const yaml_node_t* root = yaml_document_get_root_node(&document_);
    if (root == nullptr) return failure_at(1, "it is empty");
    auto tree = take(*root);
    if (!tree) return tree;
    forget();
    if (auto loaded = load(); !loaded) return tl::unexpected(loaded.error());
    if (const auto* more = yaml_document_get_root_node(&document_))
      return failure_at(more->start_mark.line + 1, "a second document begins: one is read");
    return tree;
  }

 private:
  Result<> load() {
    if (yaml_parser_load(&parser_, &document_) != 0) {
      is_loaded_ = true;
      return {};
    }
    return failure_at(parser_.problem_mark.line + 1,
                      fmt::format("it is not YAML: {}",
                                  parser_.problem == nullptr ? "no memory" : parser_.problem));
  }

  void forget() {
    if (is_loaded_) yaml_document_delete(&document_);
    is_loaded_ = false;
    taken_.clear();
  }

  static std::string text_of(const yaml_node_t& node) {
    const auto& scalar = node.data.scalar;
    std::string text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    const bool is_null = scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                         (text == "~" || text == "null" || text == "Null");
    return is_null ? std::string() : text;
  }

  Result<YamlNode> take(const yaml_node_t& node) {
    const auto line = node.start_mark.line + 1;
    // The parser resolves aliases, so a node that is met again is an alias, or leads to itself.
    if (!taken_.insert(&node).second) return failure_at(line, "anchors are not supported");
    YamlNode taken;
    taken.line = line;
    if (node.type == YAML_SCALAR_NODE) {
      taken.text = text_of(node);
    } else if (node.type == YAML_SEQUENCE_NODE) {
      taken.kind = YamlNode::Kind::kList;
      const auto& items = node.data.sequence.items;
      for (const auto* item = items.start; item != items.top; ++item) {
        auto inner = take(*yaml_document_get_node(&document_, *item));
        if (!inner) return inner;
        taken.items.push_back(std::move(*inner));
      }
    } else {
      taken.kind = YamlNode::Kind::kMap;
      const auto& pairs = node.data.mapping.pairs;
      for (const auto* pair = pairs.start; pair != pairs.top; ++pair) {
        auto entry = take_entry(taken, *pair);
        if (!entry) return tl::unexpected(entry.error());
        taken.entries.push_back(std::move(*entry));
      }
    }
    return taken;
  }

  Result<YamlNode::Entry> take_entry(const YamlNode& map, const yaml_node_pair_t& pair) {
    auto key = take(*yaml_document_get_node(&document_, pair.key));
    if (!key) return tl::unexpected(key.error());
    if (key->kind != YamlNode::Kind::kScalar) return failure_at(key->line, "a key is a word");
    const auto first = std::find_if(map.entries.begin(), map.entries.end(),
                                    [&](const auto& entry) { return entry.first == key->text; });
    if (first != map.entries.end()) {
      return failure_at(key->line, fmt::format("'{}' is there twice, first in line {}", key->text,
                                               first->second.key_line));
    }
    auto value = take(*yaml_document_get_node(&document_, pair.value));
    if (!value) return tl::unexpected(value.error());
    value->key_line = key->line;
    return YamlNode::Entry(std::move(key->text), std::move(*value));
  }

  yaml_parser_t parser_{};
  yaml_document_t document_{};
  bool is_loaded_ = false;
  std::set<const yaml_node_t*> taken_;
};

}  // namespace

tl::unexpected<Error> failure_at(std::size_t line, std::string_view what) {
  return failure(fmt::format("{}: {}", line, what));
}

Result<YamlNode> parse_yaml(std::string_view text) { return Parser(text).parse(); }

}  // namespace dptrace
