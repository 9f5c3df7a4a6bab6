#include <catch2/catch.hpp>

#include "metrics/http_request.hpp"

using namespace dptrace;

namespace {

HttpRequest parsed(std::string_view head) {
  const auto request = parse_http_request(head);
  REQUIRE(request);
  return *request;
}

}  // namespace

TEST_CASE("a request has a method, a path and a version") {
  const auto request = parsed("GET /metrics?a=b HTTP/1.1\r\nHost: x");
  CHECK(request.method == "GET");
  CHECK(request.path == "/metrics");
  CHECK(request.keeps_open);
  CHECK(parsed("HEAD http://node:9435/healthz HTTP/1.0").path == "/healthz");
  CHECK(parsed("GET http://node HTTP/1.0").path == "/");
}

TEST_CASE("a connection is kept open for a client of HTTP/1.1 that does not end it") {
  CHECK_FALSE(parsed("GET / HTTP/1.0").keeps_open);
  CHECK_FALSE(parsed("GET / HTTP/1.1\r\nconnection: te, Close").keeps_open);
  CHECK_FALSE(parsed("GET / HTTP/1.1\r\nContent-Length: 5").keeps_open);
  CHECK_FALSE(parsed("GET / HTTP/1.1\r\nTransfer-Encoding: chunked").keeps_open);
  CHECK(parsed("GET / HTTP/1.1\r\nContent-Length: 0\r\nAccept: */*").keeps_open);
}

TEST_CASE("the authorization of a request is its header's, and there is one at most") {
  CHECK(parsed("GET / HTTP/1.1\r\nauthorization:  Basic YTpi ").authorization == "Basic YTpi");
  CHECK(parsed("GET / HTTP/1.1\r\nX-Authorization: x").authorization.empty());
  CHECK_FALSE(parse_http_request("GET / HTTP/1.1\r\nAuthorization: a\r\nAuthorization: b"));
}

TEST_CASE("what is no request is refused") {
  for (const auto* head : {"", " ", "GET", "GET /", "GET / HTTP/2.0", "GET / HTTP/1.1 ",
                           "GET  / HTTP/1.1", "GET metrics HTTP/1.1", "GET /\x7f HTTP/1.1",
                           "G\x01T / HTTP/1.1", "GET / HTTP/1.1\r\nnothing",
                           "GET / HTTP/1.1\r\n : x", "GET / HTTP/1.1\r\nHost : x", "\x16\x03\x01"})
    CHECK_FALSE(parse_http_request(head));
}
