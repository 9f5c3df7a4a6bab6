// The metrics server with TLS and passwords, as a client meets it.
#include <arpa/inet.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <memory>
#include <string>

#include "metrics/metrics_server.hpp"
#include "os/owned_fd.hpp"
#include "support/certificates.hpp"

using namespace dptrace;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using namespace std::chrono_literals;

namespace {

// alice:secret
constexpr auto kAlice = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
constexpr auto kConfig =
    "tls_server_config: {cert_file: server.crt, key_file: server.key%}\n"
    "basic_auth_users:\n"
    "  alice: $2b$10$rGKbwqCOoI/tmekqQV9.JetYYXmJMkbkiMfxLsRSUnQGbwD79LSWy\n";

std::string config(const std::string& more = {}) {
  std::string text = kConfig;
  return text.replace(text.find('%'), 1, more);
}

struct Free {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* connection) const { SSL_free(connection); }
};

class Client {
 public:
  // What it trusts, and the certificate that it shows where it has one.
  Client(const CertificateFolder& folder, const std::string& trusted, const std::string& shown = {})
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_load_verify_file(context_.get(), folder.path(trusted + ".crt").c_str());
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    if (shown.empty()) return;
    SSL_CTX_use_certificate_file(context_.get(), folder.path(shown + ".crt").c_str(),
                                 SSL_FILETYPE_PEM);
    SSL_CTX_use_PrivateKey_file(context_.get(), folder.path(shown + ".key").c_str(),
                                SSL_FILETYPE_PEM);
  }

  // The whole answer; empty: there was none.
  std::string get(const ListenAddress& server, const std::string& headers) const {
    const OwnedFd socket(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in to{.sin_family = AF_INET,
                   .sin_port = htons(server.port),
                   .sin_addr = {htonl(INADDR_LOOPBACK)},
                   .sin_zero = {}};
    if (connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) return {};
    const std::unique_ptr<SSL, Free> tls(SSL_new(context_.get()));
    SSL_set_fd(tls.get(), socket.get());
    if (SSL_connect(tls.get()) != 1) return {};
    const std::string request = "GET /metrics HTTP/1.0\r\n" + headers + "\r\n";
    SSL_write(tls.get(), request.data(), static_cast<int>(request.size()));
    std::string answer;
    char buffer[4096];
    for (int size = 0; (size = SSL_read(tls.get(), buffer, sizeof buffer)) > 0;)
      answer.append(buffer, static_cast<std::size_t>(size));
    return answer;
  }

 private:
  std::unique_ptr<SSL_CTX, Free> context_;
};

MetricsServer::Settings settings(const CertificateFolder& folder) {
  return {.address = {Address::parse("127.0.0.1").value(), 0},
          .patience = 1h,
          .version = "0.1.0",
          .web_config = folder.path("web.yml")};
}

}  // namespace

TEST_CASE("metrics are served over TLS to who knows a password") {
  const CertificateFolder folder;
  folder.make("server");
  folder.make("other");
  folder.write("web.yml", config());
  const auto server = MetricsServer::start(settings(folder));
  REQUIRE(server);
  const auto& address = (*server)->address();
  const Client client(folder, "server");
  CHECK_THAT(client.get(address, kAlice),
             StartsWith("HTTP/1.1 200 OK\r\n") && Contains("dptrace_build_info"));
  for (const auto* headers : {"", "Authorization: Basic YWxpY2U6U2VjcmV0\r\n"}) {
    CHECK_THAT(client.get(address, headers), StartsWith("HTTP/1.1 401 Unauthorized\r\n") &&
                                                 Contains("\r\nWWW-Authenticate: Basic realm=") &&
                                                 !Contains("dptrace_"));
  }
  CHECK(Client(folder, "other").get(address, kAlice).empty());
}

TEST_CASE("metrics are served to who shows a certificate, as the rules have it") {
  const CertificateFolder folder;
  for (const auto* name : {"server", "good", "other"}) folder.make(name);
  struct Case {
    const char* rules;
    bool none, good, other;  // who is served: without a certificate, with one signed, with any
  };
  for (const auto& [rules, none, good, other] : {
           Case{", client_auth_type: NoClientCert", true, true, true},
           Case{", client_auth_type: RequestClientCert", true, true, true},
           Case{", client_auth_type: RequireAnyClientCert", false, true, true},
           Case{", client_auth_type: VerifyClientCertIfGiven, client_ca_file: good.crt", true, true,
                false},
           Case{", client_auth_type: RequireAndVerifyClientCert, client_ca_file: good.crt", false,
                true, false},
           Case{", client_auth_type: RequireAnyClientCert, client_allowed_sans: [other.test]",
                false, false, true},
           Case{", client_auth_type: RequireAndVerifyClientCert, client_ca_file: good.crt, "
                "client_allowed_sans: [other.test, good.tes]",
                false, false, false},
           Case{", client_auth_type: RequireAnyClientCert, client_allowed_sans: [192.0.2.7]", false,
                true, true},
           Case{", client_auth_type: RequireAnyClientCert, client_allowed_sans: [good@test]", false,
                true, false},
           Case{", client_auth_type: RequireAnyClientCert, client_allowed_sans: "
                "['spiffe://test/good']",
                false, true, false},
       }) {
    INFO(rules);
    folder.write("web.yml", config(rules));
    const auto server = MetricsServer::start(settings(folder));
    REQUIRE(server);
    const auto is_served = [&](const char* shown) {
      return !Client(folder, "server", shown).get((*server)->address(), kAlice).empty();
    };
    CHECK(is_served("") == none);
    CHECK(is_served("good") == good);
    CHECK(is_served("other") == other);
  }
}

TEST_CASE("what is renewed is served, and what cannot be used is told") {
  const CertificateFolder folder;
  folder.make("server");
  folder.write("web.yml", config());
  const auto server = MetricsServer::start(settings(folder));
  REQUIRE(server);
  const auto& address = (*server)->address();
  const Client before(folder, "server");
  std::filesystem::remove(folder.path("server.key"));
  CHECK_FALSE((*server)->renew_access());
  const auto warning = (*server)->renew_access();
  REQUIRE(warning);
  CHECK_THAT(*warning, StartsWith("--metrics-config: what was read before is still in use") &&
                           Contains("key_file: reading "));
  CHECK_THAT(before.get(address, kAlice), StartsWith("HTTP/1.1 200 "));
  folder.make("server", "P-384");
  CHECK_FALSE((*server)->renew_access());
  CHECK_FALSE((*server)->renew_access());
  CHECK(before.get(address, kAlice).empty());
  CHECK_THAT(Client(folder, "server").get(address, kAlice), StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("a server does not begin with a web configuration that cannot be used") {
  const CertificateFolder folder;
  folder.write("web.yml", config());
  const auto server = MetricsServer::start(settings(folder));
  REQUIRE_FALSE(server);
  CHECK_THAT(server.error().message,
             StartsWith("--metrics-config: " + folder.path("web.yml") + ":1: cert_file: reading "));
}
