#include "web/tls_context.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "os/small_file.hpp"
#include "web/client_rules.hpp"

namespace dptrace {

namespace {

constexpr long kClientChainBytes = 16384;  // the most that a client's certificates may have

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Bio = std::unique_ptr<BIO, Free>;
using Certificate = std::unique_ptr<X509, Free>;
using Key = std::unique_ptr<EVP_PKEY, Free>;

// An encrypted key is refused, because nobody can be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

Bio bio_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string openssl_words() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string words = reason == nullptr ? "OpenSSL does not say why" : reason;
  ERR_clear_error();
  return words;
}

std::vector<Certificate> certificates_in(const std::string& pem) {
  std::vector<Certificate> found;
  const auto bio = bio_of(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, no_passphrase, nullptr))
    found.emplace_back(next);
  // The text ends where no more certificate begins; any other error is a broken certificate.
  const bool is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!is_end) found.clear();
  return found;
}

// Loading puts what the settings name into a context. An error tells the line that named the file.
class Loading {
 public:
  Loading(SSL_CTX* context, const TlsSettings& settings, const std::string& config_path)
      : context_(context), settings_(settings), config_path_(config_path) {}

  Result<> certificate() {
    const auto& named = settings_.certificate;
    const auto file = read(named, "cert_file");
    if (!file) return tl::unexpected(file.error());
    const auto chain = certificates_in(file->text);
    if (chain.empty()) return no_certificate(named, "cert_file");
    bool is_taken = SSL_CTX_use_certificate(context_, chain.front().get()) == 1;
    for (std::size_t i = 1; is_taken && i < chain.size(); ++i)
      is_taken = SSL_CTX_add1_chain_cert(context_, chain[i].get()) == 1;
    if (!is_taken)
      return refused(named, fmt::format("cert_file: {}: {}", named.path, openssl_words()));
    return {};
  }

  /// Loads the key; to be called after certificate(). True when everybody may read its file.
  Result<bool> key() {
    const auto& named = settings_.key;
    const auto file = read(named, "key_file");
    if (!file) return tl::unexpected(file.error());
    const Key key(
        PEM_read_bio_PrivateKey(bio_of(file->text).get(), nullptr, no_passphrase, nullptr));
    ERR_clear_error();
    if (!key) {
      return refused(named, fmt::format("key_file: {} holds no private key in PEM that can be read "
                                        "without a passphrase ('openssl pkey -in' takes it off)",
                                        named.path));
    }
    // OpenSSL would accept a key of another algorithm, as one for another certificate.
    if (X509_check_private_key(SSL_CTX_get0_certificate(context_), key.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context_, key.get()) != 1) {
      return refused(named, fmt::format("key_file: {} is not the key of {}: {}", named.path,
                                        settings_.certificate.path, openssl_words()));
    }
    return file->is_open_to_all;
  }

  Result<> client_ca() {
    const auto& named = settings_.client_ca;
    if (named.path.empty()) return {};
    const auto file = read(named, "client_ca_file");
    if (!file) return tl::unexpected(file.error());
    const auto authorities = certificates_in(file->text);
    if (authorities.empty()) return no_certificate(named, "client_ca_file");
    for (const auto& authority : authorities) {
      if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), authority.get()) != 1 ||
          SSL_CTX_add_client_CA(context_, authority.get()) != 1)
        return refused(named, fmt::format("client_ca_file: {}: {}", named.path, openssl_words()));
    }
    return {};
  }

 private:
  Result<SmallFile> read(const NamedFile& named, const char* key) const {
    auto file = read_small_file(named.path);
    if (!file) return refused(named, fmt::format("{}: {}", key, file.error().message));
    return file;
  }

  tl::unexpected<Error> no_certificate(const NamedFile& named, const char* key) const {
    return refused(named, fmt::format("{}: {} holds no certificate in PEM, or a broken one "
                                      "('openssl x509 -in' shows it)",
                                      key, named.path));
  }

  tl::unexpected<Error> refused(const NamedFile& named, const std::string& why) const {
    return failure(fmt::format("{}:{}: {}", config_path_, named.line, why));
  }

  SSL_CTX* context_;
  const TlsSettings& settings_;
  const std::string& config_path_;
};

bool set_rules(SSL_CTX* context, const TlsSettings& settings) {
  // A client cannot repeat the handshake on its connection, and no state is kept for its next
  // connection, because a scrape keeps its connection.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // Connections that wait do not hold buffers.
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_max_cert_list(context, kClientChainBytes);
  if (settings.prefers_own_ciphers) SSL_CTX_set_options(context, SSL_OP_CIPHER_SERVER_PREFERENCE);
  return SSL_CTX_set_min_proto_version(context, settings.min_version) == 1 &&
         SSL_CTX_set_max_proto_version(context, settings.max_version) == 1 &&
         SSL_CTX_set_cipher_list(context, settings.ciphers.c_str()) == 1 &&
         (settings.groups.empty() ||
          SSL_CTX_set1_groups_list(context, settings.groups.c_str()) == 1) &&
         set_client_rules(context, settings.client_auth, settings.allowed_sans);
}

}  // namespace

Result<TlsContext> TlsContext::load(const TlsSettings& settings, const std::string& config_path) {
  ERR_clear_error();
  TlsContext made;
  made.context_.reset(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* context = made.context_.get();
  if (context == nullptr || !set_rules(context, settings))
    return failure(fmt::format("{}: setting up TLS: {}", config_path, openssl_words()));
  Loading loading(context, settings, config_path);
  if (auto loaded = loading.certificate(); !loaded) return tl::unexpected(loaded.error());
  const auto key_is_open = loading.key();
  if (!key_is_open) return tl::unexpected(key_is_open.error());
  made.key_is_open_to_all_ = *key_is_open;
  if (auto loaded = loading.client_ca(); !loaded) return tl::unexpected(loaded.error());
  return made;
}

}  // namespace dptrace
