#include "web/client_rules.hpp"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <memory>

namespace dptrace {

namespace {

struct Rules {
  bool verifies = false;
  std::vector<std::string> allowed_sans;
};

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  const int family = ASN1_STRING_length(bytes) == 4 ? AF_INET : AF_INET6;
  if (family == AF_INET6 && ASN1_STRING_length(bytes) != 16) return {};
  inet_ntop(family, ASN1_STRING_get0_data(bytes), text, sizeof text);
  return text;
}

// The text of a name of the kinds that people write; empty for another kind.
std::string text_of(const GENERAL_NAME& name) {
  switch (name.type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
      return text_of(name.d.ia5);
    case GEN_IPADD:
      return address_of(name.d.iPAddress);
    default:
      return {};
  }
}

bool has_one_of(const X509* certificate, const std::vector<std::string>& wanted) {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const auto name = text_of(*sk_GENERAL_NAME_value(names.get(), i));
    if (!name.empty() && std::find(wanted.begin(), wanted.end(), name) != wanted.end()) return true;
  }
  return false;
}

// Replaces OpenSSL's own verification, and calls it. It is called from C: it throws only when there
// is no memory, which ends the process.
int verify(X509_STORE_CTX* chain, void* given) noexcept {
  const auto& rules = *static_cast<const Rules*>(given);
  if (rules.verifies && X509_verify_cert(chain) <= 0) return 0;
  const X509* certificate = X509_STORE_CTX_get0_cert(chain);
  if (!rules.allowed_sans.empty() && !has_one_of(certificate, rules.allowed_sans)) {
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  X509_STORE_CTX_set_error(chain, X509_V_OK);
  return 1;
}

void release(void*, void* rules, CRYPTO_EX_DATA*, int, long, void*) {
  delete static_cast<Rules*>(rules);
}

int mode_of(ClientAuth policy) {
  switch (policy) {
    case ClientAuth::kNone:
      return SSL_VERIFY_NONE;
    case ClientAuth::kRequest:
    case ClientAuth::kVerifyIfGiven:
      return SSL_VERIFY_PEER;
    case ClientAuth::kRequireAny:
    case ClientAuth::kRequireAndVerify:
      break;
  }
  return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

}  // namespace

bool set_client_rules(SSL_CTX* context, ClientAuth policy, std::vector<std::string> allowed_sans) {
  // The context owns the rules, because connections hold their context also when a newer one has
  // taken its place.
  static const int slot = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, release);
  auto rules = std::make_unique<Rules>();
  rules->verifies = policy == ClientAuth::kVerifyIfGiven || policy == ClientAuth::kRequireAndVerify;
  rules->allowed_sans = std::move(allowed_sans);
  if (slot < 0 || SSL_CTX_set_ex_data(context, slot, rules.get()) != 1) return false;
  SSL_CTX_set_verify(context, mode_of(policy), nullptr);
  SSL_CTX_set_cert_verify_callback(context, verify, rules.release());
  return true;
}

}  // namespace dptrace
