// WebAccess gives the server what a web configuration file asks for: TLS and users. The file and
// those it names are looked at again while they are in use; the server cannot open them itself.
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
  std::optional<BasicAuth> users;  ///< none: whoever comes
};

class WebAccessFile {
 public:
  explicit WebAccessFile(std::string path) : path_(std::move(path)) {}

  /// As the files are now.
  Result<WebAccess> load();

  /// To be called now and then. Once the files have changed since the last load, and have been left
  /// alone from one look to the next, what they say now. What was protected remains so: a file that
  /// no longer asks for TLS or for passwords, as one that is half written, is an error.
  std::optional<Result<WebAccess>> renewed();

  /// A warning about what was loaded, given once.
  std::optional<std::string> take_warning() { return std::exchange(warning_, {}); }

 private:
  using Stamps = std::vector<FileStamp>;

  Result<WebAccess> read();
  Stamps look() const;

  const std::string path_;
  std::vector<std::string> named_;  // files that it named when it was last read
  Stamps loaded_;
  Stamps seen_;
  bool has_tls_ = false;
  bool has_users_ = false;
  std::optional<std::string> warning_;
};

}  // namespace dptrace
