#include <catch2/catch.hpp>

#include "node/rules/nft_listing.hpp"

using namespace dptrace;

namespace {

constexpr const char* kListing = R"(table inet fw { # handle 1
	set s { # handle 3
		type ipv4_addr
	}

	chain deny { # handle 1
		counter drop comment "de # handle 3" # handle 4
	}

	chain inp { # handle 2
		type filter hook input priority filter; policy drop;
		tcp dport 22 jump {
			ip saddr 127.0.0.0/8 accept
			drop comment "inner"
		} # handle 13
		ct state invalid drop # handle 14
	}
}
)";

}  // namespace

TEST_CASE("each rule of nftables has its chain, its number there and its text") {
  const auto texts = parse_nft_listing(kListing, 100).texts;
  CHECK(texts.at(14).chain == "inp");
  CHECK(texts.at(14).number == 2);
  CHECK(texts.at(14).text == "ct state invalid drop");
  CHECK(texts.size() == 4);
}

TEST_CASE("a comment that looks like a handle is part of the rule") {
  const auto texts = parse_nft_listing(kListing, 100).texts;
  CHECK(texts.at(4).chain == "deny");
  CHECK(texts.at(4).text == "counter drop comment \"de # handle 3\"");
}

TEST_CASE("a rule with a chain in braces is one rule") {
  const auto texts = parse_nft_listing(kListing, 100).texts;
  CHECK(texts.at(13).number == 1);
  CHECK(texts.at(13).text == "tcp dport 22 jump { ... }");
}

TEST_CASE("the rules of a chain in braces are known by the rule that has it") {
  const auto listing = parse_nft_listing(kListing, 100);
  REQUIRE(listing.in_braces.size() == 1);
  CHECK(listing.in_braces.at(13) ==
        std::vector<std::string>{"ip saddr 127.0.0.0/8 accept", "drop comment \"inner\""});
  CHECK(parse_nft_listing(kListing, 1).in_braces.at(13).size() == 1);
  const auto nested = parse_nft_listing(
      "table ip t {\n\tchain c {\n\t\tjump {\n\t\t\tjump "
      "{\n\t\t\t\tdrop\n\t\t\t}\n\t\t\taccept\n\t\t} # "
      "handle 4\n\t}\n}\n",
      100);
  CHECK(nested.in_braces.at(4) == std::vector<std::string>{"jump { ... }", "accept"});
}

TEST_CASE("a policy is known by the handle of its chain") {
  const auto texts = parse_nft_listing(kListing, 100).texts;
  CHECK(texts.at(2).text == "policy drop");
  CHECK(texts.at(2).number == 0);
}

TEST_CASE("a listing that is cut off, or too long, gives what it has") {
  const std::string listing = kListing;
  for (std::size_t size = 0; size < listing.size(); ++size)
    CHECK(parse_nft_listing(listing.substr(0, size), 100).texts.size() <= 4);
  CHECK(parse_nft_listing(listing, 1).texts.size() <= 2);
}

TEST_CASE("what the library leaves blank, as comments of iptables, leaves no gap") {
  const auto texts =
      parse_nft_listing(
          "table ip t {\n\tchain c { # handle 1\n\t\tudp dport 53  counter drop comment \"a  b\" # "
          "handle 4\n\t}\n}\n",
          100)
          .texts;
  CHECK(texts.at(4).text == "udp dport 53 counter drop comment \"a  b\"");
}
