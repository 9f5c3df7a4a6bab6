// A word of a command that people paste into a shell: names of devices and chains are foreign.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace dptrace {

/// The word as a POSIX shell takes it for itself: in quotes unless all of it is plain.
inline std::string shell_word(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%";
  const auto is_plain = [&](char c) { return kPlain.find(c) != std::string_view::npos; };
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  std::string quoted = "'";
  for (const char c : word)
    quoted += c == '\'' ? std::string_view("'\\''") : std::string_view(&c, 1);
  return quoted + "'";
}

}  // namespace dptrace
