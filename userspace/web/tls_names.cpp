#include "web/tls_names.hpp"

#include <array>
#include <utility>

namespace dptrace::tls_names {

namespace {

template <typename Meaning>
using Row = std::pair<std::string_view, Meaning>;

constexpr auto kVersions = std::to_array<Row<int>>({{"TLS12", kOldest}, {"TLS13", kNewest}});

constexpr auto kPolicies = std::to_array<Row<ClientAuth>>({
    {"NoClientCert", ClientAuth::kNone},
    {"RequestClientCert", ClientAuth::kRequest},
    {"RequireAnyClientCert", ClientAuth::kRequireAny},
    {"VerifyClientCertIfGiven", ClientAuth::kVerifyIfGiven},
    {"RequireAndVerifyClientCert", ClientAuth::kRequireAndVerify},
});

// These ciphers have forward secrecy and authenticated encryption.
constexpr auto kCiphers = std::to_array<Row<std::string_view>>({
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
});

constexpr auto kCurves = std::to_array<Row<std::string_view>>({
    {"CurveP256", "P-256"},
    {"CurveP384", "P-384"},
    {"CurveP521", "P-521"},
    {"X25519", "X25519"},
});

template <typename Rows>
auto find(const Rows& rows, std::string_view word)
    -> std::optional<typename Rows::value_type::second_type> {
  for (const auto& [name, meaning] : rows) {
    if (name == word) return meaning;
  }
  return {};
}

template <typename Rows>
std::string list(const Rows& rows) {
  std::string names;
  for (const auto& [name, meaning] : rows) names += (names.empty() ? "" : ", ") + std::string(name);
  return names;
}

}  // namespace

std::string all_ciphers() {
  std::string names;
  for (const auto& [name, meaning] : kCiphers)
    names += (names.empty() ? "" : ":") + std::string(meaning);
  return names;
}

std::optional<int> Version::operator()(std::string_view word) const {
  return find(kVersions, word);
}
std::string Version::accepted() { return list(kVersions); }

std::optional<ClientAuth> Policy::operator()(std::string_view word) const {
  return find(kPolicies, word);
}
std::string Policy::accepted() { return list(kPolicies); }

std::optional<std::string_view> Cipher::operator()(std::string_view word) const {
  return find(kCiphers, word);
}
std::string Cipher::accepted() { return list(kCiphers); }

std::optional<std::string_view> Curve::operator()(std::string_view word) const {
  return find(kCurves, word);
}
std::string Curve::accepted() { return list(kCurves); }

}  // namespace dptrace::tls_names
