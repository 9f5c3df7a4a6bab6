// WebAccess is what a web configuration file asks the server for: TLS and users. The file, and
// those that it names, are checked for changes while they are in use; the server's thread cannot
// open them itself.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "model/result.hpp"
#include "os/small_file.hpp"
#include "web/basic_auth.hpp"
#include "web/tls_context.hpp"

namespace dptrace {

struct WebAccess {
  std::optional<TlsContext> tls;   ///< none: plain HTTP
  std::optional<BasicAuth> users;  ///< none: everybody may read
};

class WebAccessFile {
 public:
  explicit WebAccessFile(std::string path) : path_(std::move(path)) {}

  /// Reads the files as they are now.
  Result<WebAccess> load();

  /// To be called now and then. Returns new settings once the files have changed since the last
  /// load, and have not changed again since the last call. What was protected stays protected: a
  /// file that no longer asks for TLS or for passwords, as a half-written one, is an error.
  std::optional<Result<WebAccess>> renewed();

  /// A warning about what was loaded, given once.
  std::optional<std::string> take_warning() { return std::exchange(warning_, {}); }

 private:
  using Stamps = std::vector<FileStamp>;

  Result<WebAccess> read();
  Stamps look() const;

  const std::string path_;
  std::vector<std::string> named_;  // files that the configuration named when it was last read
  Stamps loaded_;
  Stamps seen_;
  bool has_tls_ = false;
  bool has_users_ = false;
  std::optional<std::string> warning_;
};

}  // namespace dptrace
