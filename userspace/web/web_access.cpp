#include "web/web_access.hpp"

#include <fmt/format.h>

#include "web/web_config.hpp"

namespace dptrace {

Result<WebAccess> WebAccessFile::load() {
  auto access = read();
  if (access) {
    has_tls_ = access->tls.has_value();
    has_users_ = access->users.has_value();
  }
  if (access && access->tls && access->tls->key_is_open_to_all()) {
    warning_ = fmt::format(
        "{}: every user of this machine may read the key_file: chmod o= (a Kubernetes secret: "
        "defaultMode: 0400)",
        path_);
  }
  return access;
}

std::optional<Result<WebAccess>> WebAccessFile::renewed() {
  const auto now = look();
  const bool is_settled = now == seen_;
  seen_ = now;
  if (!is_settled || now == loaded_) return {};
  auto access = read();
  if (access && has_tls_ != access->tls.has_value()) {
    return failure(fmt::format("{}: tls_server_config {}: that takes a restart", path_,
                               has_tls_ ? "is gone" : "is new"));
  }
  if (access && has_users_ && !access->users)
    return failure(fmt::format("{}: basic_auth_users is gone: that takes a restart", path_));
  if (access) has_users_ = access->users.has_value();
  return access;
}

// The stamps are taken before the files are read, so that a file that changes meanwhile is read
// again.
Result<WebAccess> WebAccessFile::read() {
  named_.clear();
  const auto before = stamp_of(path_);
  const auto file = read_small_file(path_);
  if (!file) {
    loaded_ = seen_ = {before};
    return tl::unexpected(file.error());
  }
  const auto config = parse_web_config(file->text, path_);
  if (config && config->tls) {
    for (const auto* named :
         {&config->tls->certificate, &config->tls->key, &config->tls->client_ca}) {
      if (!named->path.empty()) named_.push_back(named->path);
    }
  }
  loaded_ = look();
  loaded_.front() = before;
  seen_ = loaded_;
  if (!config) return tl::unexpected(config.error());
  WebAccess access;
  if (!config->users.empty()) access.users.emplace(config->users);
  if (!config->tls) return access;
  auto tls = TlsContext::load(*config->tls, path_);
  if (!tls) return tl::unexpected(tls.error());
  access.tls = std::move(*tls);
  return access;
}

WebAccessFile::Stamps WebAccessFile::look() const {
  Stamps stamps{stamp_of(path_)};
  for (const auto& file : named_) stamps.push_back(stamp_of(file));
  return stamps;
}

}  // namespace dptrace
