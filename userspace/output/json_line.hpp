// JsonLine is one object of JSON Lines, written from left to right: at full rate a tree of values
// for each packet would cost four times as much as following the packet.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string_view>

#include "words/style.hpp"

namespace dptrace {

class JsonLine {
 public:
  /// Writes `{"type":...,"schema_version":1`; what is added until end() is the rest.
  JsonLine(Buffer& text, std::string_view type);
  /// Closes the object and returns the line, with its newline.
  std::string_view end();

  void member(std::string_view name, std::string_view value);
  void member(std::string_view name, const char* value) { member(name, std::string_view(value)); }
  void member(std::string_view name, bool value);
  void member(std::string_view name, double value);
  template <std::integral Number>
  void member(std::string_view name, Number value) {
    begin(name);
    append(text_, fmt::format_int(value));
  }
  /// Adds an object, with the members that `fill` adds.
  template <std::invocable Fill>
  void object(std::string_view name, Fill fill) {
    begin(name);
    enclose('{', fill, '}');
  }
  /// Adds an array, with the elements that `fill` adds.
  template <std::invocable Fill>
  void array(std::string_view name, Fill fill) {
    begin(name);
    enclose('[', fill, ']');
  }
  void element(std::string_view value);
  /// Adds an object as an element.
  template <std::invocable Fill>
  void element(Fill fill) {
    separate();
    enclose('{', fill, '}');
  }

 private:
  static void append(Buffer& text, const fmt::format_int& number) {
    text.append(number.data(), number.data() + number.size());
  }
  void separate();
  void begin(std::string_view name);
  void string(std::string_view value);
  template <typename Fill>
  void enclose(char open, Fill& fill, char close) {
    text_.push_back(open);
    is_first_ = true;
    fill();
    text_.push_back(close);
    is_first_ = false;
  }

  Buffer& text_;
  bool is_first_ = true;  ///< the next member or element is the first of what encloses it
};

}  // namespace dptrace
