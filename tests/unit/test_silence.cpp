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
  CHECK_FALSE(silence.words(kLater - 1, false, {kOther}, kPods));
  const auto words = silence.words(kLater, false, {kOther}, kPods);
  CHECK(contains(words, "no packet of 10.244.9.9 came for 10 s"));
  CHECK(contains(words, "on this node"));
  CHECK_FALSE(silence.words(kLater + 1, false, {kOther}, kPods));
  CHECK(silence.left(kLater + 1) == std::chrono::milliseconds::max());
}

TEST_CASE("of a pod that is here only the filter and its senders are in doubt") {
  Silence silence(kStart);
  const auto words = silence.words(kLater, false, {kPod}, kPods);
  CHECK(contains(words, "10.244.1.2 (default/web)"));
  CHECK_FALSE(contains(words, "on this node"));
}

TEST_CASE("nothing is said once something came") {
  Silence silence(kStart);
  CHECK_FALSE(silence.words(kStart + 1, true, {kPod}, kPods));
  CHECK_FALSE(silence.words(kLater, true, {kPod}, kPods));
  CHECK(silence.left(kStart) == std::chrono::milliseconds::max());
}
