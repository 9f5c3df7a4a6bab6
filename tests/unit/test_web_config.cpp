#include <catch2/catch.hpp>

#include "web/tls_names.hpp"
#include "web/web_config.hpp"

using namespace dptrace;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

constexpr auto kHash = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG";

Result<WebConfig> parsed(const std::string& text) {
  return parse_web_config(text, "/etc/dptrace/web.yml");
}

std::string refusal(const std::string& text) {
  const auto config = parsed(text);
  REQUIRE_FALSE(config);
  return config.error().message;
}

std::string tls(const std::string& lines) {
  return "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n" + lines;
}

}  // namespace

TEST_CASE("a web configuration as exporters have it is understood") {
  const auto config = parsed(
      "# comment\n"
      "tls_server_config:\n"
      "  cert_file: tls/server.crt\n"
      "  key_file: /run/server.key\n"
      "  client_auth_type: \"RequireAndVerifyClientCert\"\n"
      "  client_ca_file: ca.crt\n"
      "  client_allowed_sans: [prometheus.test, 'spiffe://a/b']\n"
      "  min_version: TLS13\n"
      "  max_version: TLS13\n"
      "  cipher_suites:\n"
      "    - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
      "    - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n"
      "  prefer_server_cipher_suites: false\n"
      "  curve_preferences:\n"
      "  - X25519\n"
      "  - CurveP256\n"
      "http_server_config:\n"
      "  http2: false\n"
      "basic_auth_users:\n"
      "  alice: " +
      std::string(kHash) + "\n  'bob b': " + kHash + "\n");
  REQUIRE(config);
  REQUIRE(config->tls);
  CHECK(config->tls->certificate.path == "/etc/dptrace/tls/server.crt");
  CHECK(config->tls->certificate.line == 3);
  CHECK(config->tls->key.path == "/run/server.key");
  CHECK(config->tls->client_ca.path == "/etc/dptrace/ca.crt");
  CHECK(config->tls->client_auth == ClientAuth::kRequireAndVerify);
  CHECK(config->tls->allowed_sans == std::vector<std::string>{"prometheus.test", "spiffe://a/b"});
  CHECK(config->tls->min_version == TLS1_3_VERSION);
  CHECK(config->tls->max_version == TLS1_3_VERSION);
  CHECK(config->tls->ciphers == "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256");
  CHECK(config->tls->groups == "X25519:P-256");
  CHECK_FALSE(config->tls->prefers_own_ciphers);
  REQUIRE(config->users.size() == 2);
  CHECK(config->users[1].name == "bob b");
  CHECK(config->users[1].hash == kHash);
}

TEST_CASE("what is left out of a web configuration is safe") {
  const auto config = parsed(tls(""));
  REQUIRE(config);
  CHECK(config->tls->min_version == TLS1_2_VERSION);
  CHECK(config->tls->max_version == TLS1_3_VERSION);
  CHECK(config->tls->client_auth == ClientAuth::kNone);
  CHECK(config->tls->ciphers == tls_names::all_ciphers());
  CHECK(config->tls->prefers_own_ciphers);
  CHECK(config->users.empty());
  const auto users = parsed(std::string("basic_auth_users: {alice: ") + kHash + "}");
  REQUIRE(users);
  CHECK_FALSE(users->tls);
}

TEST_CASE("what is wrong in a web configuration is named with its line and what to do") {
  const std::string hash = kHash;
  const std::pair<std::string, const char*> cases[] = {
      {"", "web.yml:1: it is empty"},
      {"{}", "web.yml: it asks for neither TLS nor passwords: give tls_server_config"},
      {"- a", "web.yml:1: a web configuration has no keys below it"},
      {"tls_server_config:\n  cert_file: \"a", "not YAML"},
      {"tls_server_conf:\n  cert_file: a\n",
       "web.yml:1: a web configuration has no key 'tls_server_conf': there are tls_server_config,"},
      {tls("  cert_fil: b\n"), "web.yml:4: tls_server_config: tls_server_config has no key"},
      {tls("  cert_file: b\n"), "web.yml:4: 'cert_file' is there twice, first in line 2"},
      {tls("") + tls(""), "web.yml:4: 'tls_server_config' is there twice, first in line 1"},
      {tls("") + "---\n" + tls(""), "web.yml:5: a second document begins"},
      {"tls_server_config: &a\n  cert_file: *a\n", "anchors are not supported"},
      {tls("  <<: {cert_file: c}\n"), "web.yml:4: "},
      {"tls_server_config:\n  key_file: k\n",
       "web.yml:2: tls_server_config: there is no cert_file"},
      {"tls_server_config:\n  cert_file: c\n",
       "web.yml:2: tls_server_config: cert_file without key_file"},
      {"tls_server_config:\n  cert_file:\n  key_file: k\n",
       "web.yml:2: tls_server_config: cert_file: it has no value"},
      {"tls_server_config:\n  cert_file: ~\n  key_file: k\n", "web.yml:2: "},
      {"tls_server_config:\n  cert_file: [c]\n  key_file: k\n", "web.yml:2: "},
      {"tls_server_config:\n", "web.yml:1: tls_server_config: tls_server_config has no keys"},
      {tls("  cert: |\n    PEM\n"), "web.yml:4: tls_server_config: cert: not supported: write it"},
      {tls("  client_auth_type: Require\n"),
       "web.yml:4: tls_server_config: client_auth_type: 'Require' is not supported: there are "
       "NoClientCert, RequestClientCert, RequireAnyClientCert, "},
      {tls("  client_auth_type: RequireAndVerifyClientCert\n"), "there is no client_ca_file"},
      {tls("  client_auth_type: VerifyClientCertIfGiven\n"), "there is no client_ca_file"},
      {tls("  client_ca_file: ca\n"), "web.yml:4: tls_server_config: client_ca_file does nothing"},
      {tls("  client_ca_file: ca\n  client_auth_type: RequestClientCert\n"), "does nothing"},
      {tls("  client_allowed_sans: [a]\n"), "client_allowed_sans needs client_auth_type"},
      {tls("  client_allowed_sans: a\n"), "client_allowed_sans: it is a list"},
      {tls("  client_allowed_sans: []\n"), "client_allowed_sans: it is a list"},
      {tls("  min_version: TLS10\n"),
       "min_version: 'TLS10' is not supported: there are TLS12, TLS13"},
      {tls("  min_version: TLS13\n  max_version: TLS12\n"), "min_version is above max_version"},
      {tls("  cipher_suites:\n  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n  - RC4\n"),
       "web.yml:6: tls_server_config: cipher_suites: 'RC4' is not supported"},
      {tls("  curve_preferences: [CurveP224]\n"), "'CurveP224' is not supported"},
      {tls("  prefer_server_cipher_suites: 1\n"), "it is true or false"},
      {tls("http_server_config:\n  http2: true\n"),
       "web.yml:5: http_server_config: http2: HTTP/1.1"},
      {tls("http_server_config:\n  headers: {}\n"), "headers: not supported"},
      {tls("rate_limit:\n  burst: 1\n"), "web.yml:4: rate_limit: not supported"},
      {"basic_auth_users: {}\n", "web.yml:1: basic_auth_users: it names no user"},
      {"basic_auth_users:\n", "web.yml:1: basic_auth_users: it names no user"},
      {"basic_auth_users:\n  a: secret\n",
       "web.yml:2: basic_auth_users: the password of 'a' is no bcrypt hash"},
      {"basic_auth_users:\n  a: $6$salt$hash\n", "no bcrypt hash"},
      {"basic_auth_users:\n  a: " + hash.substr(0, 59) + "\n", "no bcrypt hash"},
      {"basic_auth_users:\n  a: $2y$03$" + hash.substr(7) + "\n", "cost 3"},
      {"basic_auth_users:\n  a: $2y$15$" + hash.substr(7) + "\n", "cost 15"},
      {"basic_auth_users:\n  'a:b': " + hash + "\n", "'a:b' cannot be the name of a user"},
      {"basic_auth_users:\n  a: " + hash + "\n  a: " + hash + "\n", "web.yml:3: "},
  };
  for (const auto& [text, wanted] : cases) {
    INFO(text);
    const auto message = refusal(text);
    CHECK_THAT(message, StartsWith("/etc/dptrace/web.yml:") && Contains(wanted));
    CHECK_THAT(message, !Contains(hash));
    CHECK_THAT(message, !Contains("secret"));
  }
}

TEST_CASE("every name of a cipher suite and of a curve is one that OpenSSL knows") {
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_server_method()),
                                                                  SSL_CTX_free);
  for (std::string names = tls_names::Cipher::accepted(); !names.empty();) {
    const auto name = names.substr(0, names.find(", "));
    names.erase(0, name.size() + 2);
    const auto cipher = tls_names::Cipher()(name);
    REQUIRE(cipher);
    CHECK(SSL_CTX_set_cipher_list(context.get(), std::string(*cipher).c_str()) == 1);
    const auto* suites = SSL_CTX_get_ciphers(context.get());
    CHECK(SSL_CIPHER_standard_name(sk_SSL_CIPHER_value(suites, sk_SSL_CIPHER_num(suites) - 1)) ==
          name);
  }
  CHECK(SSL_CTX_set1_groups_list(context.get(), "P-256:P-384:P-521:X25519") == 1);
  CHECK(tls_names::Curve::accepted() == "CurveP256, CurveP384, CurveP521, X25519");
}
