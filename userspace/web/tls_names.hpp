// tls_names has the words of a web configuration for what TLS can do, which are Go's, and OpenSSL's
// words for the same. It has none for what is no longer considered safe.
#pragma once

#include <openssl/ssl.h>

#include <optional>
#include <string>
#include <string_view>

#include "web/web_config.hpp"

namespace dptrace::tls_names {

constexpr int kOldest = TLS1_2_VERSION;
constexpr int kNewest = TLS1_3_VERSION;

/// The ciphers of TLS 1.2 that may be chosen, as a list for OpenSSL. All suites of TLS 1.3 are in
/// use.
std::string all_ciphers();

// Each of these finds what a word means, and tells all words that it knows.
struct Version {
  std::optional<int> operator()(std::string_view word) const;
  static std::string accepted();
};
struct Policy {
  std::optional<ClientAuth> operator()(std::string_view word) const;
  static std::string accepted();
};
struct Cipher {
  std::optional<std::string_view> operator()(std::string_view word) const;
  static std::string accepted();
};
struct Curve {
  std::optional<std::string_view> operator()(std::string_view word) const;
  static std::string accepted();
};

}  // namespace dptrace::tls_names
