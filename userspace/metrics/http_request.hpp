// HttpRequest has the head of an HTTP request, as far as the answer needs it. The parser is pure,
// because clients may send anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dptrace {

struct HttpRequest {
  std::string method;
  std::string path;             ///< without the part that a `?` begins
  bool keeps_open = false;      ///< another request may follow on the connection
  std::string authorization{};  ///< value of the Authorization header; empty: there is none
};

/// Parses all lines up to the empty one. Nothing when they are no request of HTTP 1.
std::optional<HttpRequest> parse_http_request(std::string_view head);

}  // namespace dptrace
