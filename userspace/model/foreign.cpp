#include "model/foreign.hpp"

#include <algorithm>
#include <cstdint>

namespace dptrace {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

constexpr std::size_t kDeepest = 32;

struct Character {
  std::uint32_t code = 0;
  std::size_t length = 1;
  bool valid = false;
};

// Decodes the first character of `text`, which is not empty.
Character decode_first(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {};
  std::uint32_t code = lead & (0xffU >> (length + 1));
  for (std::size_t at = 1; at < length; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(at) & 0x3fU);
  }
  const bool is_short_enough = length == 2 || code >= (length == 3 ? 0x800U : 0x10000U);
  const bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
  if (!is_short_enough || is_surrogate || code > 0x10ffff) return {};
  return {code, length, true};
}

// True for control characters, line and paragraph separators, and characters that turn the
// direction of writing.
bool commands(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x061c || code == 0x200e ||
         code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::string clean_name(std::string_view foreign) {
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
  if (foreign.size() <= kLongestName && std::all_of(foreign.begin(), foreign.end(), is_plain))
    return std::string(foreign);
  std::string clean;
  while (!foreign.empty()) {
    const Character first = decode_first(foreign);
    const auto piece =
        first.valid && !commands(first.code) ? foreign.substr(0, first.length) : kReplacement;
    if (clean.size() + piece.size() > kLongestName) break;
    clean += piece;
    foreign.remove_prefix(first.length);
  }
  return clean;
}

bool is_modest_json(std::string_view text, std::size_t most_values) {
  std::size_t depth = 0;
  std::size_t values = 0;
  bool in_string = false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      ++values;
      if (++depth > kDeepest) return false;
    } else if (c == ']' || c == '}') {
      if (depth == 0) return false;
      --depth;
    } else if (c == ',') {
      ++values;
    }
    if (values > most_values) return false;
  }
  return true;
}

}  // namespace dptrace
