// A web configuration file is read as Prometheus' exporters read it (tls_server_config,
// basic_auth_users). It decides who may read the metrics, so a setting that is not known or not
// supported is refused by its name, and never ignored.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/result.hpp"

namespace dptrace {

enum class ClientAuth {
  kNone,
  kRequest,     ///< a certificate is asked for, and never checked
  kRequireAny,  ///< any certificate, whoever has signed it
  kVerifyIfGiven,
  kRequireAndVerify,
};

/// A file that the configuration names, and the line that names it.
struct NamedFile {
  std::string path;  ///< empty: none
  std::size_t line = 0;
};

struct TlsSettings {
  NamedFile certificate;  ///< PEM: the server's first, then those that lead to its issuer
  NamedFile key;
  NamedFile client_ca;
  ClientAuth client_auth = ClientAuth::kNone;
  std::vector<std::string> allowed_sans;  ///< empty: certificates of any name
  int min_version = 0;                    ///< both as OpenSSL numbers versions
  int max_version = 0;
  std::string ciphers;  ///< OpenSSL's names, of TLS 1.2
  std::string groups;   ///< OpenSSL's names; empty: its own choice
  bool prefers_own_ciphers = true;
};

struct WebUser {
  std::string name;
  std::string hash;  ///< bcrypt
};

struct WebConfig {
  std::optional<TlsSettings> tls;  ///< none: plain HTTP
  std::vector<WebUser> users;      ///< none: everybody may read
};

/// `path` is that of the file: its relative paths start from the file's folder, and errors begin
/// with it (`web.yml:12: what is wrong, and what to do`).
Result<WebConfig> parse_web_config(std::string_view text, const std::string& path);

}  // namespace dptrace
