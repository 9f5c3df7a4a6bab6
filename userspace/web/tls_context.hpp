// TlsContext is the server's side of TLS: the certificate, key and rules with which new connections
// begin. It reads all its files when it is made, so that the serving thread needs none.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "model/result.hpp"
#include "web/web_config.hpp"

namespace dptrace {

class TlsContext {
 public:
  /// `config_path` is the path of the configuration; an error names a line of it.
  static Result<TlsContext> load(const TlsSettings& settings, const std::string& config_path);

  /// A connection of a server. The caller owns it, also when this context is gone. Null when there
  /// is no memory.
  SSL* new_connection() const { return SSL_new(context_.get()); }

  bool key_is_open_to_all() const { return key_is_open_to_all_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  TlsContext() = default;

  std::unique_ptr<SSL_CTX, Free> context_;
  bool key_is_open_to_all_ = false;
};

}  // namespace dptrace
