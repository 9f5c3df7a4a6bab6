// Client rules say which certificates of clients are accepted: by who signed them, and by the names
// that they are for.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "web/web_config.hpp"

namespace dptrace {

/// Sets the rules for connections that begin from now on; `context` owns what it needs for that.
/// False when there is no memory.
bool set_client_rules(SSL_CTX* context, ClientAuth policy, std::vector<std::string> allowed_sans);

}  // namespace dptrace
