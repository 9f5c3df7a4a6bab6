#include "output/style.hpp"

#include <array>

namespace dptrace {

namespace {
constexpr std::array<std::string_view, 6> kCodes = {"\x1b[1m",  "\x1b[2m",  "\x1b[1;31m",
                                                    "\x1b[32m", "\x1b[33m", "\x1b[36m"};
constexpr std::string_view kReset = "\x1b[0m";

/// A byte of a UTF-8 character after its first.
bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; }
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

}  // namespace dptrace
