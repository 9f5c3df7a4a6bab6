#include <crypt.h>
#include <openssl/evp.h>

#include <catch2/catch.hpp>
#include <string>

#include "web/basic_auth.hpp"

using namespace dptrace;
using namespace std::chrono_literals;
using Verdict = BasicAuth::Verdict;

namespace {

// The cheapest there are, but for the one whose cost is asked for.
std::string hash_of(const std::string& password, const char* setting = "$2b$04$") {
  const auto salt = std::string(setting) + "abcdefghijklmnopqrstuu";
  crypt_data memory{};
  return crypt_r(password.c_str(), salt.c_str(), &memory);
}

std::string basic(const std::string& credentials) {
  std::string text(credentials.size() * 2 + 4, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(credentials.data()),
                                   static_cast<int>(credentials.size()));
  return "Basic " + text.substr(0, static_cast<std::size_t>(size));
}

Peer peer(std::uint8_t number) { return {number}; }

// Far enough from each other that nothing of one check concerns the next.
struct Clock {
  BasicAuth::Clock::time_point now{};
  BasicAuth::Clock::time_point later() { return now += 1min; }
};

}  // namespace

TEST_CASE("a user is known by name and password, and by nothing less") {
  BasicAuth auth({{"alice", hash_of("secret", "$2a$04$")}, {"bob", hash_of("", "$2y$04$")}});
  Clock clock;
  CHECK(auth.check(basic("alice:secret"), peer(1), clock.later()) == Verdict::kAdmitted);
  CHECK(auth.check(basic("bob:"), peer(1), clock.later()) == Verdict::kAdmitted);
  const auto header = basic("alice:secret");
  CHECK(auth.check("bASIC" + header.substr(5), peer(1), clock.later()) == Verdict::kAdmitted);
  for (const std::string wrong :
       {"alice:Secret", "alice:secret ", "alice:", "alice:secret:", "Alice:secret", "bob:secret",
        "carol:secret", ":secret", "alice:secre"})
    CHECK(auth.check(basic(wrong), peer(1), clock.later()) == Verdict::kRefused);
  // What C takes for the end of a text is a part of this one.
  CHECK(auth.check(basic(std::string("alice:secret\0x", 14)), peer(1), clock.later()) ==
        Verdict::kRefused);
  CHECK(auth.check(basic(std::string("bob:\0", 5)), peer(1), clock.later()) == Verdict::kRefused);
  CHECK(auth.check(basic("bob:" + std::string(600, 'x')), peer(1), clock.later()) ==
        Verdict::kRefused);
}

TEST_CASE("what is no Basic authorization is refused without a check") {
  BasicAuth auth({{"alice", hash_of("secret")}});
  const auto good = basic("alice:secret");
  Clock clock;
  for (const auto& header :
       {std::string(), std::string("Basic"), std::string("Basic "), std::string("Bearer abcd"),
        good + "=", good.substr(0, good.size() - 1), std::string("Basic ===="),
        std::string("Basic \xff\xff\xff\xff"), std::string("Basic YWxpY2U=")}) {
    INFO(header);
    CHECK(auth.check(header, peer(1), clock.now) == Verdict::kRefused);
  }
  // None of them was a wrong password, so this address need not wait.
  CHECK(auth.check(good, peer(1), clock.now) == Verdict::kAdmitted);
}

TEST_CASE("after a wrong password an address waits, and others do not") {
  BasicAuth auth({{"alice", hash_of("secret")}});
  Clock clock;
  CHECK(auth.check(basic("alice:wrong"), peer(1), clock.now) == Verdict::kRefused);
  CHECK(auth.check(basic("alice:secret"), peer(1), clock.now) == Verdict::kTooSoon);
  CHECK(auth.check(basic("alice:secret"), peer(2), clock.now) == Verdict::kAdmitted);
  // It is known now, wherever it comes from.
  CHECK(auth.check(basic("alice:secret"), peer(1), clock.now) == Verdict::kAdmitted);
  CHECK(auth.check(basic("alice:wrong"), peer(1), clock.now + 1900ms) == Verdict::kTooSoon);
  CHECK(auth.check(basic("alice:wrong"), peer(1), clock.now + 2s) == Verdict::kRefused);
}

TEST_CASE("so many passwords are checked, whoever sends them, and known ones always pass") {
  BasicAuth auth({{"alice", hash_of("secret")}});
  Clock clock;
  CHECK(auth.check(basic("alice:secret"), peer(255), clock.later()) == Verdict::kAdmitted);
  clock.later();
  int checked = 0;
  for (std::uint8_t i = 0; i < 200; ++i)
    checked += auth.check(basic("alice:wrong"), peer(i), clock.now) == Verdict::kRefused ? 1 : 0;
  CHECK(checked == 4);
  CHECK(auth.check(basic("alice:secret"), peer(254), clock.now) == Verdict::kAdmitted);
  // A minute of two wrong ones a millisecond.
  checked = 0;
  for (int i = 0; i < 60'000; ++i) {
    clock.now += 1ms;
    for (std::uint8_t side = 0; side < 2; ++side) {
      const Peer sender{side, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8)};
      checked += auth.check(basic("nobody:wrong"), sender, clock.now) == Verdict::kRefused ? 1 : 0;
    }
  }
  CHECK(checked >= 115);
  CHECK(checked <= 121);
}

TEST_CASE("dear hashes are checked more rarely") {
  // Nothing of it is computed: the turns are over.
  BasicAuth auth({{"alice", hash_of("secret", "$2b$11$")}});
  Clock clock;
  for (std::uint8_t i = 0; i < 4; ++i)
    CHECK(auth.check(basic("nobody:wrong"), peer(i), clock.now) == Verdict::kRefused);
  CHECK(auth.check(basic("nobody:wrong"), peer(9), clock.now + 900ms) == Verdict::kBusy);
  CHECK(auth.check(basic("nobody:wrong"), peer(9), clock.now + 1100ms) == Verdict::kRefused);
}

TEST_CASE("a name that nobody has takes as long as one of a user") {
  BasicAuth auth({{"alice", hash_of("secret", "$2b$09$")}, {"bob", hash_of("secret", "$2b$09$")}});
  Clock clock;
  const auto time_of = [&](const std::string& credentials) {
    const auto start = std::chrono::steady_clock::now();
    CHECK(auth.check(basic(credentials), peer(1), clock.later()) == Verdict::kRefused);
    return std::chrono::steady_clock::now() - start;
  };
  // The least of some, for the machine has other work, too.
  auto known = std::chrono::steady_clock::duration::max();
  auto unknown = known;
  auto long_one = known;
  for (int i = 0; i < 5; ++i) {
    known = std::min(known, time_of("alice:wrong"));
    unknown = std::min(unknown, time_of("carol:wrong"));
    long_one = std::min(long_one, time_of("alice:" + std::string(600, 'x')));
  }
  for (const auto& other : {unknown, long_one}) {
    CHECK(other > known / 2);
    CHECK(other < known * 2);
  }
}

TEST_CASE("a name that no user has costs what some user costs, and always the same") {
  std::size_t cheap = 0;
  constexpr std::size_t kTries = 40;
  for (std::size_t i = 0; i < kTries; ++i) {
    BasicAuth auth({{"alice", hash_of("secret", "$2b$04$")}, {"bob", hash_of("x", "$2b$12$")}});
    Clock clock;
    std::uint8_t sender = 0;
    // After four checks at once, a cheap one is allowed soon, a costly one is not.
    const auto is_cheap = [&] {
      clock.later();
      while (auth.check(basic("alice:no"), peer(++sender), clock.now) == Verdict::kRefused) {
      }
      return auth.check(basic("carol:no"), peer(++sender), clock.now += 600ms) != Verdict::kBusy;
    };
    const bool first = is_cheap();
    CHECK(is_cheap() == first);
    cheap += first ? 1 : 0;
  }
  CHECK(cheap > 0);
  CHECK(cheap < kTries);
}
