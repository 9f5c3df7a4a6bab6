#include "web/web_config.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "web/bcrypt.hpp"
#include "web/tls_names.hpp"
#include "web/yaml_section.hpp"

namespace dptrace {

namespace {

Result<> take_file(NamedFile& into, const YamlNode& value) {
  auto path = word(value);
  if (!path) return tl::unexpected(path.error());
  into = {std::move(*path), value.key_line};
  return {};
}

Result<> take_version(int& into, const YamlNode& value) {
  const auto version = known_word(value, tls_names::Version());
  if (!version) return tl::unexpected(version.error());
  into = *version;
  return {};
}

// Joins the names to a list as OpenSSL wants it.
template <typename Find>
Result<> take_names(std::string& into, const YamlNode& value, Find find) {
  if (auto list = words(value); !list) return tl::unexpected(list.error());
  into.clear();
  for (const auto& item : value.items) {
    const auto name = known_word(item, find);
    if (!name) return tl::unexpected(name.error());
    into += (into.empty() ? "" : ":") + std::string(*name);
  }
  return {};
}

template <typename Into>
Result<> refuse_inline(Into&, const YamlNode& value) {
  return failure_at(value.key_line,
                    "not supported: write it to a file of its own and name that (cert_file, "
                    "key_file, client_ca_file)");
}

constexpr YamlKey<TlsSettings> kTlsKeys[] = {
    {"cert_file",
     [](TlsSettings& tls, const YamlNode& value) { return take_file(tls.certificate, value); }},
    {"key_file", [](TlsSettings& tls, const YamlNode& value) { return take_file(tls.key, value); }},
    {"client_ca_file",
     [](TlsSettings& tls, const YamlNode& value) { return take_file(tls.client_ca, value); }},
    {"client_auth_type",
     [](TlsSettings& tls, const YamlNode& value) -> Result<> {
       const auto policy = known_word(value, tls_names::Policy());
       if (!policy) return tl::unexpected(policy.error());
       tls.client_auth = *policy;
       return {};
     }},
    {"client_allowed_sans",
     [](TlsSettings& tls, const YamlNode& value) -> Result<> {
       auto names = words(value);
       if (!names) return tl::unexpected(names.error());
       tls.allowed_sans = std::move(*names);
       return {};
     }},
    {"min_version",
     [](TlsSettings& tls, const YamlNode& value) { return take_version(tls.min_version, value); }},
    {"max_version",
     [](TlsSettings& tls, const YamlNode& value) { return take_version(tls.max_version, value); }},
    {"cipher_suites",
     [](TlsSettings& tls, const YamlNode& value) {
       return take_names(tls.ciphers, value, tls_names::Cipher());
     }},
    {"prefer_server_cipher_suites",
     [](TlsSettings& tls, const YamlNode& value) -> Result<> {
       const auto prefers = yes_or_no(value);
       if (!prefers) return tl::unexpected(prefers.error());
       tls.prefers_own_ciphers = *prefers;
       return {};
     }},
    {"curve_preferences",
     [](TlsSettings& tls, const YamlNode& value) {
       return take_names(tls.groups, value, tls_names::Curve());
     }},
    {"cert", refuse_inline<TlsSettings>},
    {"key", refuse_inline<TlsSettings>},
    {"client_ca", refuse_inline<TlsSettings>},
};

// Refuses settings that contradict each other, or would let in other clients than they seem to.
Result<> check(const TlsSettings& tls, std::size_t line) {
  using enum ClientAuth;
  const bool verifies = tls.client_auth == kVerifyIfGiven || tls.client_auth == kRequireAndVerify;
  const bool requires_one = tls.client_auth == kRequireAny || tls.client_auth == kRequireAndVerify;
  if (tls.certificate.path.empty()) {
    return failure_at(tls.key.path.empty() ? line : tls.key.line,
                      "there is no cert_file: name the certificate that goes with the key");
  }
  if (tls.key.path.empty())
    return failure_at(tls.certificate.line, "cert_file without key_file: name its private key");
  if (verifies && tls.client_ca.path.empty()) {
    return failure_at(
        line,
        "client_auth_type verifies certificates, and there is no client_ca_file: name "
        "the certificate of who signs those that are let in");
  }
  if (!verifies && !tls.client_ca.path.empty()) {
    return failure_at(tls.client_ca.line,
                      "client_ca_file does nothing without client_auth_type: "
                      "RequireAndVerifyClientCert");
  }
  if (!tls.allowed_sans.empty() && !requires_one) {
    return failure_at(line,
                      "client_allowed_sans needs client_auth_type: RequireAndVerifyClientCert, "
                      "else a client without a certificate is let in");
  }
  if (tls.min_version > tls.max_version)
    return failure_at(line, "min_version is above max_version");
  return {};
}

Result<> take_tls(WebConfig& config, const YamlNode& value) {
  TlsSettings tls;
  tls.min_version = tls_names::kOldest;
  tls.max_version = tls_names::kNewest;
  tls.ciphers = tls_names::all_ciphers();
  if (auto taken = take_keys(kTlsKeys, "tls_server_config", tls, value); !taken) return taken;
  if (auto checked = check(tls, value.key_line); !checked) return checked;
  config.tls = std::move(tls);
  return {};
}

Result<> take_users(WebConfig& config, const YamlNode& value) {
  if (value.kind != YamlNode::Kind::kMap || value.entries.empty()) {
    return failure_at(value.key_line,
                      "it names no user, and would let in everybody: give one (name: hash), or "
                      "leave it out");
  }
  for (const auto& [name, hash] : value.entries) {
    // In a request the name ends at the first colon, so it cannot have one.
    if (name.empty() || name.find(':') != std::string::npos)
      return failure_at(hash.key_line, fmt::format("'{}' cannot be the name of a user", name));
    if (const auto wrong = bcrypt::wrong_with(hash.text); !wrong.empty())
      return failure_at(hash.key_line, fmt::format("the password of '{}' is {}", name, wrong));
    config.users.push_back({name, hash.text});
  }
  return {};
}

constexpr YamlKey<WebConfig> kHttpKeys[] = {
    {"http2",
     [](WebConfig&, const YamlNode& value) -> Result<> {
       const auto wants = yes_or_no(value);
       if (!wants) return tl::unexpected(wants.error());
       if (*wants) return failure_at(value.key_line, "HTTP/1.1 is all that is spoken: say false");
       return {};
     }},
    {"headers",
     [](WebConfig&, const YamlNode& value) -> Result<> {
       return failure_at(value.key_line, "not supported: no browser is served, leave it out");
     }},
};

constexpr YamlKey<WebConfig> kKeys[] = {
    {"tls_server_config", take_tls},
    {"basic_auth_users", take_users},
    {"http_server_config",
     [](WebConfig& config, const YamlNode& value) {
       return take_keys(kHttpKeys, "http_server_config", config, value);
     }},
    {"rate_limit",
     [](WebConfig&, const YamlNode& value) -> Result<> {
       return failure_at(value.key_line,
                         "not supported: connections, their time and password checks have bounds "
                         "of their own, leave it out");
     }},
};

void start_from(const std::filesystem::path& folder, NamedFile& file) {
  if (!file.path.empty()) file.path = folder / file.path;  // an absolute path stays as it is
}

}  // namespace

Result<WebConfig> parse_web_config(std::string_view text, const std::string& path) {
  const auto refused = [&path](const Error& error) { return failure(path + ":" + error.message); };
  const auto tree = parse_yaml(text);
  if (!tree) return refused(tree.error());
  WebConfig config;
  if (auto taken = take_keys(kKeys, "a web configuration", config, *tree); !taken)
    return refused(taken.error());
  if (!config.tls && config.users.empty()) {
    return failure(path +
                   ": it asks for neither TLS nor passwords: give tls_server_config or "
                   "basic_auth_users, or leave --metrics-config out");
  }
  if (config.tls) {
    const auto folder = std::filesystem::path(path).parent_path();
    for (auto* file : {&config.tls->certificate, &config.tls->key, &config.tls->client_ca})
      start_from(folder, *file);
  }
  return config;
}

}  // namespace dptrace
