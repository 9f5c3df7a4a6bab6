#include "metrics/http_request.hpp"

#include <algorithm>

namespace dptrace {

namespace {

// Takes the text before the next `end`, and `end` itself, from the front of `text`; takes all of
// the text when there is no `end`.
std::string_view take_until(std::string_view& text, std::string_view end) {
  const auto at = text.find(end);
  const auto taken = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
  return taken;
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool is_same(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c <= '~' &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) == std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool lists_close(std::string_view value) {
  while (!value.empty()) {
    if (is_same(trimmed(take_until(value, ",")), "close")) return true;
  }
  return false;
}

// The path of a request's target, which is a path or, as sent to a proxy, has scheme and host
// before it.
std::optional<std::string> path_of(std::string_view target) {
  if (!is_visible(target)) return {};
  if (const std::string_view scheme = "http://"; target.substr(0, scheme.size()) == scheme) {
    const auto slash = target.find('/', scheme.size());
    if (slash == std::string_view::npos) return "/";
    target.remove_prefix(slash);
  }
  if (target.empty() || target.front() != '/') return {};
  return std::string(target.substr(0, target.find('?')));
}

}  // namespace

std::optional<HttpRequest> parse_http_request(std::string_view head) {
  auto line = take_until(head, "\r\n");
  const auto method = take_until(line, " ");
  const auto path = path_of(take_until(line, " "));
  const bool is_newer = line == "HTTP/1.1";
  if (!is_token(method) || !path || (!is_newer && line != "HTTP/1.0")) return {};

  HttpRequest request{std::string(method), *path, is_newer, {}};
  while (!head.empty()) {
    line = take_until(head, "\r\n");
    if (line.empty()) break;
    if (line.find(':') == std::string_view::npos) return {};
    const auto name = take_until(line, ":");
    if (!is_token(name)) return {};
    const auto value = trimmed(line);
    if (is_same(name, "Connection")) request.keeps_open &= !lists_close(value);
    if (is_same(name, "Authorization")) {
      // A proxy and this server might each take another one of two such headers.
      if (!request.authorization.empty()) return {};
      request.authorization = value;
    }
    // A body would follow, which nothing here reads; it must not be taken for the next request.
    if (is_same(name, "Transfer-Encoding")) request.keeps_open = false;
    if (is_same(name, "Content-Length")) request.keeps_open &= value == "0";
  }
  return request;
}

}  // namespace dptrace
