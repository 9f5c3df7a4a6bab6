// Keys and certificates for tests, in a folder that is gone with its owner.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace dptrace {

class CertificateFolder {
 public:
  CertificateFolder() {
    std::string name = std::filesystem::temp_directory_path() / "dptrace-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~CertificateFolder() {
    std::error_code none;
    std::filesystem::remove_all(path_, none);
  }
  CertificateFolder(const CertificateFolder&) = delete;
  CertificateFolder& operator=(const CertificateFolder&) = delete;

  std::string path(const std::string& name) const { return path_ / name; }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::trunc) << text;
    return path(name);
  }

  /// NAME.crt, of a common name, and NAME.key, which only its owner may read. It is its own issuer.
  void make(const std::string& name, const char* curve = "P-256") const {
    const Key key(EVP_EC_gen(curve));
    const Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial_);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    extend(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(certificate.get(), NID_subject_alt_name,
           "DNS:" + name + ".test,IP:192.0.2.7,email:" + name + "@test,URI:spiffe://test/" + name);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
    const File to_certificate(std::fopen(path(name + ".crt").c_str(), "w"));
    PEM_write_X509(to_certificate.get(), certificate.get());
    const File to_key(std::fopen(path(name + ".key").c_str(), "w"));
    PEM_write_PrivateKey(to_key.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    std::filesystem::permissions(path(name + ".key"), std::filesystem::perms::owner_read |
                                                          std::filesystem::perms::owner_write);
  }

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    void operator()(FILE* file) const { std::fclose(file); }
  };
  using Key = std::unique_ptr<EVP_PKEY, Free>;
  using Certificate = std::unique_ptr<X509, Free>;
  using File = std::unique_ptr<FILE, Free>;

  static void extend(X509* certificate, int kind, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }

  std::filesystem::path path_;
  mutable long serial_ = 0;
};

}  // namespace dptrace
