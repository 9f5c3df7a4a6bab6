#include <catch2/catch.hpp>

#include "node/lockdown.hpp"

using namespace dptrace;

TEST_CASE("of the lockdown's modes the one in brackets is in force") {
  CHECK(lockdown_mode("[none] integrity confidentiality\n").empty());
  CHECK(lockdown_mode("none [integrity] confidentiality\n") == "integrity");
  CHECK(lockdown_mode("none integrity [confidentiality]\n") == "confidentiality");
  CHECK(lockdown_mode("").empty());
  CHECK(lockdown_mode("]none[").empty());
}

TEST_CASE("only confidentiality costs anything") {
  CHECK(lockdown_words("").empty());
  CHECK(lockdown_words("integrity").empty());
  CHECK(lockdown_words("confidentiality").find("lockdown=confidentiality") != std::string::npos);
}
