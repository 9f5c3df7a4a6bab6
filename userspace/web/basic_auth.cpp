#include "web/basic_auth.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <strings.h>

#include <algorithm>
#include <stdexcept>

namespace dptrace {

namespace {

// The `name:password` in a header. Nothing when the header is of another scheme, or broken.
std::optional<std::string> credentials_in(std::string_view authorization) {
  constexpr std::string_view kScheme = "Basic ";
  if (authorization.size() <= kScheme.size() ||
      strncasecmp(authorization.data(), kScheme.data(), kScheme.size()) != 0)
    return {};
  authorization.remove_prefix(kScheme.size());
  const std::size_t padding =
      authorization.size() -
      std::min(authorization.size(), authorization.find_last_not_of('=') + 1);
  if (authorization.size() % 4 != 0 || padding > 2) return {};
  std::string text(authorization.size() / 4 * 3, '\0');
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                   reinterpret_cast<const unsigned char*>(authorization.data()),
                                   static_cast<int>(authorization.size()));
  if (size < 0 || static_cast<std::size_t>(size) < padding) return {};
  text.resize(static_cast<std::size_t>(size) - padding);  // zeros, where there was nothing
  return text;
}

}  // namespace

BasicAuth::BasicAuth(std::vector<WebUser> users) {
  for (auto& user : users) accounts_.push_back({std::move(user), {}});
  if (RAND_bytes(secret_.data(), static_cast<int>(secret_.size())) != 1)
    throw std::runtime_error("the kernel gives no random numbers");
}

std::optional<BasicAuth::Digest> BasicAuth::digest_of(std::string_view text) const {
  Digest digest{};
  const auto* done = HMAC(EVP_sha256(), secret_.data(), static_cast<int>(secret_.size()),
                          reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                          digest.data(), nullptr);
  if (done == nullptr) return {};
  return digest;
}

const BasicAuth::Account& BasicAuth::stand_in(std::string_view name) const {
  const auto digest = digest_of(name);
  return accounts_[digest ? digest->front() % accounts_.size() : 0];
}

BasicAuth::Verdict BasicAuth::check(std::string_view authorization, const Peer& peer,
                                    Clock::time_point now) {
  const auto credentials = credentials_in(authorization);
  if (!credentials) return Verdict::kRefused;
  const auto colon = credentials->find(':');
  if (colon == std::string::npos) return Verdict::kRefused;
  const auto name = std::string_view(*credentials).substr(0, colon);
  const auto account = std::find_if(accounts_.begin(), accounts_.end(),
                                    [&](const auto& other) { return other.user.name == name; });
  const bool is_known = account != accounts_.end();
  const auto digest = digest_of(*credentials);
  if (is_known && digest && account->accepted &&
      CRYPTO_memcmp(digest->data(), account->accepted->data(), digest->size()) == 0)
    return Verdict::kAdmitted;

  std::erase_if(wrong_, [&](const auto& entry) { return now - entry.second >= kPause; });
  if (wrong_.count(peer) != 0) return Verdict::kTooSoon;
  const auto& checked = is_known ? *account : stand_in(name);
  if (!take_turn(bcrypt::cost_of(checked.user.hash), now)) return Verdict::kBusy;
  const bool matches = checker_.matches(credentials->substr(colon + 1), checked.user.hash);
  if (!is_known || !matches) {
    wrong_[peer] = now;
    return Verdict::kRefused;
  }
  account->accepted = digest;
  return Verdict::kAdmitted;
}

bool BasicAuth::take_turn(int cost, Clock::time_point now) {
  constexpr int kUsualCost = 10;
  const double every =
      std::chrono::duration<double>(kEvery).count() * (1 << std::max(cost - kUsualCost, 0));
  if (last_turn_) {
    const double since = std::chrono::duration<double>(now - *last_turn_).count();
    turns_ = std::min(kAtOnce, turns_ + since / every);
  }
  last_turn_ = now;
  if (turns_ < 1) return false;
  turns_ -= 1;
  return true;
}

}  // namespace dptrace
