// A frame is what a terminal is sent to show lines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace dptrace {

struct ScreenSize {
  std::size_t width = 80;
  std::size_t height = 24;

  friend bool operator==(const ScreenSize&, const ScreenSize&) = default;
};

/// At most `width` columns of a line of UTF-8 with colour codes; colours that are cut off end.
std::string clip_line(std::string_view line, std::size_t width);

/// The line without its colour codes.
std::string without_colour(std::string_view line);

/// The line in reverse video, whatever colours are in it.
std::string reverse_line(std::string_view line);

/// One picture, to be written at once. Each line goes to its place, and the rest of what was there
/// is wiped out behind it, so that nothing flickers. Lines beyond the screen are left out, longer
/// ones are cut.
std::string compose_frame(const std::vector<std::string>& lines, ScreenSize size);

}  // namespace dptrace
