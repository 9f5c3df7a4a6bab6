#include "screen/frame.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "words/style.hpp"

namespace dptrace {

namespace {

constexpr std::string_view kReset = "\x1b[0m";
constexpr std::string_view kReverse = "\x1b[7m";
constexpr std::string_view kEraseRest = "\x1b[K";

bool is_continuation(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// The number of bytes of the colour code or character with which `text` begins.
std::size_t unit_length(std::string_view text) {
  std::size_t length = 1;
  if (text[0] == '\x1b') {
    while (length < text.size() && text[length - 1] != 'm') ++length;
  } else {
    while (length < text.size() && is_continuation(text[length])) ++length;
  }
  return length;
}

}  // namespace

std::string clip_line(std::string_view line, std::size_t width) {
  std::string clipped;
  std::size_t used = 0;
  bool coloured = false;
  while (!line.empty()) {
    const std::string_view unit = line.substr(0, unit_length(line));
    line.remove_prefix(unit.size());
    if (unit[0] == '\x1b') {
      coloured = unit != kReset;
    } else if (used++ == width) {
      break;
    }
    clipped.append(unit);
  }
  if (coloured) clipped.append(kReset);
  return clipped;
}

std::string without_colour(std::string_view line) {
  std::string plain;
  while (!line.empty()) {
    const std::size_t length = unit_length(line);
    if (line[0] != '\x1b') plain.append(line.substr(0, length));
    line.remove_prefix(length);
  }
  return plain;
}

std::string reverse_line(std::string_view line) {
  std::string reversed(kReverse);
  while (!line.empty()) {
    const std::string_view unit = line.substr(0, unit_length(line));
    line.remove_prefix(unit.size());
    reversed.append(unit);
    if (unit == kReset) reversed.append(kReverse);
  }
  return reversed.append(kReset);
}

std::string compose_frame(const std::vector<std::string>& lines, ScreenSize size) {
  std::string frame;
  for (std::size_t row = 0; row < size.height; ++row) {
    fmt::format_to(std::back_inserter(frame), "\x1b[{};1H", row + 1);
    const std::string line = row < lines.size() ? clip_line(lines[row], size.width) : "";
    frame.append(line);
    // After a full line the cursor is still on its last character, which erasing would wipe out.
    if (columns(line) < size.width) frame.append(kEraseRest);
  }
  return frame;
}

}  // namespace dptrace
