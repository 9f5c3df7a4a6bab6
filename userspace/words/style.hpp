// Lines are made in a buffer, have colours, and take columns.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string_view>

namespace dptrace {

using Buffer = fmt::memory_buffer;

inline constexpr std::size_t kColumns = 100;

enum class Style : std::uint8_t { kHead, kDim, kBad, kGood, kWarn, kNote };

/// Appends text, coloured when the user wants colour.
class Paint {
 public:
  explicit Paint(bool colour) : colour_(colour) {}

  void begin(Buffer& out, Style style) const;
  void end(Buffer& out) const;
  void text(Buffer& out, Style style, std::string_view text) const;

 private:
  bool colour_;
};

void append(Buffer& out, std::string_view text);
void append_spaces(Buffer& out, std::size_t count);
/// Appends a name that others chose (devices, namespaces). Whatever a terminal could take for a
/// command becomes `?`.
void append_name(Buffer& out, std::string_view name);

/// Appends a line; breaks it between phrases when it is too wide for the screen. What follows a
/// break begins at `indent`.
void append_wrapped(Buffer& out, std::string_view line, std::size_t indent);

/// The columns that a text takes on a terminal: UTF-8 characters, without colour codes.
std::size_t columns(std::string_view text);

inline std::string_view view(const Buffer& buffer) { return {buffer.data(), buffer.size()}; }

}  // namespace dptrace
