// The files of a web configuration, and what becomes of them while they are in use.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "support/certificates.hpp"
#include "web/web_access.hpp"

using namespace dptrace;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

constexpr auto kTls = "tls_server_config:\n  cert_file: a.crt\n  key_file: a.key\n";
constexpr auto kUsers =
    "basic_auth_users:\n  a: $2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG\n";

std::string refusal(const CertificateFolder& folder) {
  const auto access = WebAccessFile(folder.path("web.yml")).load();
  REQUIRE_FALSE(access);
  return access.error().message;
}

// What the second look says, which finds them as the first.
std::optional<Result<WebAccess>> renewed(WebAccessFile& file) {
  CHECK_FALSE(file.renewed());
  return file.renewed();
}

}  // namespace

TEST_CASE("certificate, key and users are loaded") {
  const CertificateFolder folder;
  folder.make("a");
  WebAccessFile file(folder.write("web.yml", std::string(kTls) + kUsers));
  const auto access = file.load();
  REQUIRE(access);
  REQUIRE(access->tls);
  CHECK(access->users);
  SSL* connection = access->tls->new_connection();
  CHECK(connection != nullptr);
  SSL_free(connection);
  CHECK_FALSE(file.take_warning());
  CHECK_FALSE(renewed(file));
}

TEST_CASE("a key that everybody may read is taken, with a warning") {
  const CertificateFolder folder;
  folder.make("a");
  chmod(folder.path("a.key").c_str(), 0644);
  WebAccessFile file(folder.write("web.yml", kTls));
  REQUIRE(file.load());
  const auto warning = file.take_warning();
  REQUIRE(warning);
  CHECK_THAT(*warning, StartsWith(folder.path("web.yml")) && Contains("chmod o="));
  CHECK_FALSE(file.take_warning());
}

TEST_CASE("a file of TLS that cannot be used is named, with the line that names it") {
  const CertificateFolder folder;
  const auto config = folder.path("web.yml");
  CHECK_THAT(refusal(folder), Contains("reading " + config + ": No such file"));
  folder.write("web.yml", std::string(kTls) +
                              "  client_ca_file: ca.crt\n  client_auth_type: "
                              "RequireAndVerifyClientCert\n");
  CHECK_THAT(refusal(folder), StartsWith(config + ":2: cert_file: reading ") &&
                                  Contains("a.crt: No such file or directory"));
  folder.make("a");
  CHECK_THAT(refusal(folder), StartsWith(config + ":4: client_ca_file: reading "));
  folder.write("ca.crt", "nothing\n");
  CHECK_THAT(refusal(folder), Contains("holds no certificate in PEM"));
  folder.make("ca");
  CHECK(WebAccessFile(config).load());

  std::filesystem::remove(folder.path("a.key"));
  CHECK_THAT(refusal(folder), StartsWith(config + ":3: key_file: reading "));
  folder.write("a.key", "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n");
  CHECK_THAT(refusal(folder), Contains("holds no private key in PEM"));
  for (const auto* curve : {"P-256", "P-384"}) {
    folder.make("b", curve);
    std::filesystem::copy_file(folder.path("b.key"), folder.path("a.key"),
                               std::filesystem::copy_options::overwrite_existing);
    CHECK_THAT(refusal(folder), StartsWith(config + ":3: key_file: ") &&
                                    Contains("a.key is not the key of") && Contains("a.crt"));
  }
  std::filesystem::remove(folder.path("a.key"));
  mkfifo(folder.path("a.key").c_str(), 0600);
  CHECK_THAT(refusal(folder), Contains("it is not a regular file"));
  std::filesystem::remove(folder.path("a.key"));
  folder.make("a");
  folder.write("a.crt", std::string(2U << 20, 'x'));
  CHECK_THAT(refusal(folder), Contains("it is larger than 1 MiB"));
}

TEST_CASE("an RSA key for a certificate of another algorithm is not taken") {
  const CertificateFolder folder;
  folder.make("a");
  EVP_PKEY* key = EVP_RSA_gen(2048);
  FILE* to = std::fopen(folder.path("a.key").c_str(), "w");
  PEM_write_PrivateKey(to, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(to);
  EVP_PKEY_free(key);
  folder.write("web.yml", kTls);
  CHECK_THAT(refusal(folder), Contains("a.key is not the key of"));
}

TEST_CASE("files that change are taken once they are left alone") {
  const CertificateFolder folder;
  folder.make("a");
  WebAccessFile file(folder.write("web.yml", kTls));
  REQUIRE(file.load());
  folder.make("a");
  const auto next = renewed(file);
  REQUIRE(next);
  CHECK(*next);
  CHECK_FALSE(renewed(file));
  folder.write("web.yml", std::string(kTls) + kUsers);
  CHECK_FALSE(file.renewed());
  folder.write("web.yml", std::string(kTls) + kUsers + "# still being written\n");
  const auto users = renewed(file);
  REQUIRE(users);
  REQUIRE(*users);
  CHECK((*users)->users);
}

TEST_CASE("a renewed file that cannot be used is told once, and taken when it is mended") {
  const CertificateFolder folder;
  folder.make("a");
  WebAccessFile file(folder.write("web.yml", std::string(kTls) + kUsers));
  REQUIRE(file.load());
  folder.make("b");
  std::filesystem::rename(folder.path("b.key"), folder.path("a.key"));
  const auto half = renewed(file);
  REQUIRE(half);
  REQUIRE_FALSE(*half);
  CHECK_THAT(half->error().message, Contains("is not the key of"));
  CHECK_FALSE(renewed(file));
  std::filesystem::rename(folder.path("b.crt"), folder.path("a.crt"));
  const auto mended = renewed(file);
  REQUIRE(mended);
  CHECK(*mended);

  std::filesystem::remove(folder.path("web.yml"));
  const auto gone = renewed(file);
  REQUIRE(gone);
  CHECK_FALSE(*gone);
  folder.write("web.yml", std::string(kTls) + kUsers);
  const auto back = renewed(file);
  REQUIRE(back);
  CHECK(*back);
}

TEST_CASE("what was protected remains so, whatever a renewed file asks for") {
  const CertificateFolder folder;
  folder.make("a");
  WebAccessFile file(folder.write("web.yml", std::string(kTls) + kUsers));
  REQUIRE(file.load());
  folder.write("web.yml", kTls);
  const auto open = renewed(file);
  REQUIRE(open);
  REQUIRE_FALSE(*open);
  CHECK_THAT(open->error().message, Contains("basic_auth_users is gone: that takes a restart"));
  folder.write("web.yml", kUsers);
  const auto plain = renewed(file);
  REQUIRE(plain);
  REQUIRE_FALSE(*plain);
  CHECK_THAT(plain->error().message, Contains("tls_server_config is gone: that takes a restart"));
}
