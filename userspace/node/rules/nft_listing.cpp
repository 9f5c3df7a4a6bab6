#include "node/rules/nft_listing.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "model/foreign.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kHandle = " # handle ";
constexpr std::string_view kChain = "chain ";
constexpr std::string_view kPolicy = "; policy ";

struct Line {
  std::string_view text;     // without indentation and handle
  std::uint64_t handle = 0;  // 0: the line has none
  bool opens = false;        // a block follows
  bool closes = false;       // the line begins with the end of a block
};

Line parse_line(std::string_view line) {
  Line parsed;
  line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
  // A comment of a rule may look like a handle: the last one is the rule's.
  if (const auto at = line.rfind(kHandle); at != std::string_view::npos) {
    const auto number = line.substr(at + kHandle.size());
    const auto [end, error] =
        std::from_chars(number.data(), number.data() + number.size(), parsed.handle);
    if (error == std::errc() && end == number.data() + number.size()) {
      line = line.substr(0, at);
    } else {
      parsed.handle = 0;
    }
  }
  parsed.opens = line.ends_with('{');
  parsed.closes = line.starts_with('}');
  parsed.text = line;
  return parsed;
}

// A chain that is being read: one of the table, or one that a rule has in braces.
struct Block {
  std::string chain;  // empty: a set, a map or another object
  std::uint64_t handle = 0;
  std::string rule;  // the beginning of the rule that has the chain in braces
  std::vector<std::string> in_braces;
  std::uint32_t rules = 0;
};

// Returns the text with one space instead of several, but within quotes.
std::string single_spaced(std::string_view text) {
  std::string spaced;
  bool is_quoted = false;
  for (const char letter : text) {
    if (letter == '"') is_quoted = !is_quoted;
    if (letter == ' ' && !is_quoted && spaced.ends_with(' ')) continue;
    spaced.push_back(letter);
  }
  return spaced;
}

RuleText text_of(std::string_view chain, std::uint32_t number, std::string_view text) {
  RuleText rule;
  rule.chain = clean_name(chain);
  rule.number = number;
  rule.text = clean_name(single_spaced(text));
  return rule;
}

class Listing {
 public:
  explicit Listing(std::size_t most) : most_(most) {}

  void add(const Line& line) {
    if (line.closes) {
      end_block(line);
    } else if (line.opens) {
      begin_block(line);
    } else if (!blocks_.empty() && !blocks_.back().chain.empty()) {
      add_to_chain(line);
    }
  }

  NftListing take() { return std::move(listing_); }

 private:
  void begin_block(const Line& line) {
    Block block;
    if (!blocks_.empty() && !blocks_.back().chain.empty()) {
      // `tcp dport 22 jump {`: the rule's handle is where its braces end.
      block.chain = blocks_.back().chain;
      block.rule = line.text;
    } else if (line.text.starts_with(kChain)) {
      block.chain = line.text.substr(kChain.size(), line.text.size() - kChain.size() - 2);
      block.handle = line.handle;
    }
    blocks_.push_back(std::move(block));
  }

  void end_block(const Line& line) {
    if (blocks_.empty()) return;
    Block ended = std::move(blocks_.back());
    blocks_.pop_back();
    if (ended.rule.empty() || blocks_.empty()) return;
    const std::string rule = ended.rule + " ... }";
    if (!blocks_.back().rule.empty()) return add_in_braces(rule);
    add_rule(blocks_.back(), line.handle, rule);
    if (line.handle != 0) listing_.in_braces[line.handle] = std::move(ended.in_braces);
  }

  void add_to_chain(const Line& line) {
    if (line.text.empty()) return;
    auto& block = blocks_.back();
    if (!block.rule.empty()) return add_in_braces(line.text);
    if (line.handle != 0) {
      add_rule(block, line.handle, line.text);
    } else if (const auto at = line.text.find(kPolicy); at != std::string_view::npos) {
      // `type filter hook input priority filter; policy drop;`
      auto policy = line.text.substr(at + 2);
      policy = policy.substr(0, policy.find(';'));
      listing_.texts[block.handle] = text_of(block.chain, 0, policy);
    }
  }

  void add_rule(Block& block, std::uint64_t handle, std::string_view text) {
    ++block.rules;
    if (listing_.texts.size() < most_)
      listing_.texts[handle] = text_of(block.chain, block.rules, text);
  }

  void add_in_braces(std::string_view text) {
    if (braced_ >= most_) return;
    ++braced_;
    blocks_.back().in_braces.push_back(clean_name(text));
  }

  const std::size_t most_;
  std::size_t braced_ = 0;     // rules in braces
  std::vector<Block> blocks_;  // from the table on
  NftListing listing_;
};

}  // namespace

NftListing parse_nft_listing(std::string_view listing, std::size_t most) {
  Listing found(most);
  while (!listing.empty()) {
    const auto end = std::min(listing.find('\n'), listing.size());
    found.add(parse_line(listing.substr(0, end)));
    listing.remove_prefix(std::min(end + 1, listing.size()));
  }
  return found.take();
}

}  // namespace dptrace
