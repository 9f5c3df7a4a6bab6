#include "output/json_line.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace dptrace {

namespace {

constexpr int kSchemaVersion = 1;

bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

}  // namespace

JsonLine::JsonLine(Buffer& text, std::string_view type) : text_(text) {
  text_.clear();
  text_.push_back('{');
  member("type", type);
  member("schema_version", kSchemaVersion);
}

std::string_view JsonLine::end() {
  dptrace::append(text_, "}\n");
  return view(text_);
}

void JsonLine::member(std::string_view name, std::string_view value) {
  begin(name);
  string(value);
}

void JsonLine::member(std::string_view name, bool value) {
  begin(name);
  dptrace::append(text_, value ? "true" : "false");
}

void JsonLine::member(std::string_view name, double value) {
  begin(name);
  const auto before = text_.size();
  fmt::format_to(fmt::appender(text_), "{}", value);
  // A whole number is written with a fraction too, for readers that give the member one type.
  if (view(text_).substr(before).find_first_of(".e") == std::string_view::npos)
    dptrace::append(text_, ".0");
}

void JsonLine::element(std::string_view value) {
  separate();
  string(value);
}

void JsonLine::separate() {
  if (!is_first_) text_.push_back(',');
  is_first_ = false;
}

void JsonLine::begin(std::string_view name) {
  separate();
  string(name);
  text_.push_back(':');
}

void JsonLine::string(std::string_view value) {
  if (!std::all_of(value.begin(), value.end(), is_plain)) {
    // Device names are bytes, not necessarily UTF-8.
    constexpr auto kReplace = nlohmann::json::error_handler_t::replace;
    dptrace::append(text_, nlohmann::json(value).dump(-1, ' ', false, kReplace));
    return;
  }
  text_.push_back('"');
  dptrace::append(text_, value);
  text_.push_back('"');
}

}  // namespace dptrace
