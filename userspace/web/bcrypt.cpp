#include "web/bcrypt.hpp"

#include <crypt.h>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>

namespace dptrace::bcrypt {

namespace {

constexpr std::string_view kForm = "$2b$10$";
constexpr std::size_t kLength = 60;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_of_alphabet(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '/';
}

bool is_hash(std::string_view text) {
  if (text.size() != kLength || text.substr(0, 2) != "$2") return false;
  const bool is_known = text[2] == 'a' || text[2] == 'b' || text[2] == 'y';
  return is_known && text[3] == '$' && is_digit(text[4]) && is_digit(text[5]) && text[6] == '$' &&
         std::all_of(text.begin() + kForm.size(), text.end(), is_of_alphabet);
}

}  // namespace

std::string wrong_with(std::string_view hash) {
  if (!is_hash(hash)) {
    return "no bcrypt hash ($2a$, $2b$ or $2y$, 60 characters): htpasswd -nBC 10 '' asks for the "
           "password and prints it";
  }
  const int cost = cost_of(hash);
  if (cost < 4)
    return fmt::format("a bcrypt hash of cost {}, which there is not: 4 is the least", cost);
  if (cost > kMostCost) {
    return fmt::format(
        "a bcrypt hash of cost {}, which would keep everybody waiting for seconds: {} is the most "
        "(htpasswd -nBC 10 '' makes one)",
        cost, kMostCost);
  }
  return {};
}

int cost_of(std::string_view hash) { return (hash[4] - '0') * 10 + (hash[5] - '0'); }

Checker::Checker() : memory_(std::make_unique<crypt_data>()) {}
Checker::Checker(Checker&&) noexcept = default;
Checker& Checker::operator=(Checker&&) noexcept = default;
Checker::~Checker() = default;

bool Checker::matches(const std::string& password, const std::string& hash) {
  // The C interface takes only the part before a NUL as the password, and refuses a long password
  // at once, whose quick answer would differ from the others.
  const bool is_possible =
      password.find('\0') == std::string::npos && password.size() < CRYPT_MAX_PASSPHRASE_SIZE;
  const char* given = is_possible ? password.c_str() : "";
  const char* found = crypt_r(given, hash.c_str(), memory_.get());
  const bool is_same = found != nullptr && std::string_view(found).size() == hash.size() &&
                       CRYPTO_memcmp(found, hash.data(), hash.size()) == 0;
  return is_possible && is_same;
}

}  // namespace dptrace::bcrypt
