// Certificates of clients are taken by who signed them, and by the names that they are for.
#pragma once

#include <openssl/ssl.h>

#include <string>
#include <vector>

#include "web/web_config.hpp"

namespace dptrace {

/// For the connections that begin from now on; `context` owns what it needs for that. False: there
/// is no memory.
bool set_client_rules(SSL_CTX* context, ClientAuth policy, std::vector<std::string> allowed_sans);

}  // namespace dptrace
