#include <catch2/catch.hpp>

#include "run/silence.hpp"

using namespace dptrace;

namespace {

const Address kPod = *Address::parse("10.244.1.2");
const Address kOther = *Address::parse("10.244.9.9");
const std::map<Address, std::string> kPods = {{kPod, "default/web"}};
constexpr std::uint64_t kStart = 5'000'000'000, kLater = kStart + Silence::kPatienceNs;

bool contains(const std::optional<std::string>& text, std::string_view part) {
  return text && text->find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("when nothing came it is said once, with what to check") {
  Silence silence(kStart);
  CHECK(silence.left(kStart) == std::chrono::seconds(10));
  CHECK_FALSE(silence.words(kLater - 1, false, {kOther}, kPods, false));
  const auto words = silence.words(kLater, false, {kOther}, kPods, false);
  CHECK(contains(words, "no packet of 10.244.9.9 came for 10 s"));
  CHECK(contains(words, "on this node"));
  CHECK_FALSE(silence.words(kLater + 1, false, {kOther}, kPods, false));
  CHECK(silence.left(kLater + 1) == std::chrono::milliseconds::max());
}

TEST_CASE("of a pod that is here only its senders are in doubt, and a filter if there is one") {
  Silence silence(kStart);
  const auto words = silence.words(kLater, false, {kPod}, kPods, false);
  CHECK(contains(words, "10.244.1.2 (default/web)"));
  CHECK_FALSE(contains(words, "on this node"));
  CHECK_FALSE(contains(words, "--port"));
  Silence filtered(kStart);
  CHECK(contains(filtered.words(kLater, false, {kPod}, kPods, true), "--port"));
}

TEST_CASE("nothing is said once something came") {
  Silence silence(kStart);
  CHECK_FALSE(silence.words(kStart + 1, true, {kPod}, kPods, false));
  CHECK_FALSE(silence.words(kLater, true, {kPod}, kPods, false));
  CHECK(silence.left(kStart) == std::chrono::milliseconds::max());
}
