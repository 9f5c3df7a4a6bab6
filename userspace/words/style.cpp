#include "words/style.hpp"

#include <algorithm>
#include <array>

namespace dptrace {

namespace {
constexpr std::array<std::string_view, 6> kCodes = {"\x1b[1m",  "\x1b[2m",  "\x1b[1;31m",
                                                    "\x1b[32m", "\x1b[33m", "\x1b[36m"};
constexpr std::string_view kReset = "\x1b[0m";

/// True for a byte of a UTF-8 character after its first.
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }

/// A line may be broken at a space that follows a comma or begins one of these.
constexpr std::array<std::string_view, 7> kPhraseBegins = {" at ",   " in ", " by ", " after ",
                                                           " with ", " (",   " → "};

std::size_t end_of_phrase(std::string_view text) {
  for (std::size_t at = text.find(' ', 1); at != text.npos; at = text.find(' ', at + 1)) {
    const auto begins = [&](std::string_view word) { return text.substr(at).starts_with(word); };
    if (text[at - 1] == ',' || std::any_of(kPhraseBegins.begin(), kPhraseBegins.end(), begins))
      return at;
  }
  return text.size();
}

}  // namespace

void Paint::begin(Buffer& out, Style style) const {
  if (colour_) append(out, kCodes[static_cast<std::size_t>(style)]);
}

void Paint::end(Buffer& out) const {
  if (colour_) append(out, kReset);
}

void Paint::text(Buffer& out, Style style, std::string_view text) const {
  begin(out, style);
  append(out, text);
  end(out);
}

void append(Buffer& out, std::string_view text) {
  out.append(text.data(), text.data() + text.size());
}

void append_spaces(Buffer& out, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out.push_back(' ');
}

void append_name(Buffer& out, std::string_view name) {
  for (const char c : name) {
    if (is_continuation(c)) continue;
    out.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
}

std::size_t columns(std::string_view text) {
  std::size_t count = 0;
  bool code = false;
  for (const char c : text) {
    if (c == '\x1b') code = true;
    if (!code && !is_continuation(c)) ++count;
    if (code && c == 'm') code = false;
  }
  return count;
}

void append_wrapped(Buffer& out, std::string_view line, std::size_t indent) {
  std::size_t used = 0;
  while (!line.empty()) {
    const std::size_t end = end_of_phrase(line);
    std::string_view phrase = line.substr(0, end);
    if (used > indent && used + columns(phrase) > kColumns) {
      out.push_back('\n');
      append_spaces(out, indent);
      used = indent;
      phrase.remove_prefix(1);  // the space at its front
    }
    append(out, phrase);
    used += columns(phrase);
    line.remove_prefix(end);
  }
}

}  // namespace dptrace
