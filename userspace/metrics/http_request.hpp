// The head of an HTTP request, as far as one is needed to answer it. Pure: what clients send is
// anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dptrace {

struct HttpRequest {
  std::string method;
  std::string path;             ///< without what a `?` begins
  bool keeps_open = false;      ///< another request may follow on the connection
  std::string authorization{};  ///< the header's value; empty: there is none
};

/// Of all lines up to the empty one. Nothing: it is no request of HTTP 1.
std::optional<HttpRequest> parse_http_request(std::string_view head);

}  // namespace dptrace
