#include <catch2/catch.hpp>

#include "metrics/listen_address.hpp"

using namespace dptrace;

TEST_CASE("a listen address is an IP address and a port") {
  for (const auto* text : {"127.0.0.1:9435", "0.0.0.0:1", "10.0.2.15:65535", "[::1]:9435",
                           "[::]:80", "[fd00:10::1]:9435"}) {
    const auto address = ListenAddress::parse(text);
    REQUIRE(address);
    CHECK(address->text() == text);
  }
}

TEST_CASE("a port alone is the loopback's") {
  REQUIRE(ListenAddress::parse("9435"));
  CHECK(ListenAddress::parse("9435")->text() == "127.0.0.1:9435");
}

TEST_CASE("what leaves open where to listen is no listen address") {
  for (const auto* text : {"",
                           ":",
                           ":9435",
                           "*:9435",
                           "localhost:9435",
                           "127.0.0.1",
                           "127.0.0.1:",
                           "127.0.0.1:0",
                           "127.0.0.1:65536",
                           "127.0.0.1:http",
                           "127.0.0.1:94 35",
                           "127.0.0.1: 9435",
                           "-1",
                           "0",
                           "::1:9435",
                           "::1",
                           "[::1]",
                           "[::1]9435",
                           "[]:9435",
                           "[127.0.0.1]:9435",
                           "[::ffff:1.2.3.4]:9435",
                           "[::1:9435",
                           "127.0.0.1:+9435",
                           "http://127.0.0.1:9435"}) {
    CAPTURE(text);
    CHECK_FALSE(ListenAddress::parse(text));
  }
}
