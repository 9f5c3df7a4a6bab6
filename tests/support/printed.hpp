// Packets as the text output prints them.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "output/output.hpp"
#include "support/collecting_sink.hpp"
#include "support/sample_packets.hpp"

namespace dptrace {

inline OutputOptions text_options() {
  setenv("TZ", "UTC", 1);
  tzset();
  OutputOptions options;
  options.pods = {sample::address("10.244.1.2"), sample::address("10.244.19.28"),
                  sample::address("fd00:10:244:1::2")};
  return options;
}

inline std::string printed(const Packet& packet, const Names& names = sample::names()) {
  CollectingSink sink;
  REQUIRE(make_text_output(sink, text_options())->packet(packet, names));
  return sink.text;
}

/// From the verdict's line on.
inline std::string end_of(const Packet& packet, const Names& names = sample::names()) {
  const std::string text = printed(packet, names);
  std::size_t start = 0;
  for (std::size_t at = text.find("\n  "); at != text.npos; at = text.find("\n  ", at + 1)) {
    if (text[at + 3] != ' ') {
      start = at + 1;
      break;
    }
  }
  return text.substr(start);
}

/// The same without the breaks of lines that are too wide.
inline std::string unbroken_end_of(const Packet& packet, const Names& names = sample::names()) {
  std::string text = end_of(packet, names);
  for (std::size_t at = text.find("\n    "); at != text.npos; at = text.find("\n    ", at + 1)) {
    text.replace(at, 5, " ");
  }
  return text;
}

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != text.npos;
}

}  // namespace dptrace
