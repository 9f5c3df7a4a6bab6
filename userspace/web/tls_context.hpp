// The server's side of TLS: certificate, key and rules that new connections begin with. What is
// read from files is read when it is made, so that who serves needs none.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "model/result.hpp"
#include "web/web_config.hpp"

namespace dptrace {

class TlsContext {
 public:
  /// `config_path`: of the configuration, whose line an error names.
  static Result<TlsContext> load(const TlsSettings& settings, const std::string& config_path);

  /// Of a server; the caller's, also when this is gone. Null: there is no memory.
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
