// MetricsServer serves metrics over HTTP: /metrics for Prometheus, /healthz for whoever looks after
// the process. A thread of its own answers, so that neither thread waits for the other. That thread
// gives up everything that it could do harm with before it reads a client's first byte.
#pragma once

#include <pthread.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "metrics/http_server.hpp"
#include "metrics/listen_address.hpp"
#include "metrics/metrics.hpp"
#include "model/result.hpp"
#include "web/web_access.hpp"

namespace dptrace {

class MetricsServer {
 public:
  struct Settings {
    ListenAddress address;                ///< port 0: any port that is free
    std::chrono::nanoseconds patience{};  ///< /healthz is well while the last table is not older
    std::string version;
    std::string web_config{};  ///< path of the web configuration; empty: plain HTTP, for everybody
    HttpLimits limits{};
  };
  /// The patience for tables that are due every `interval`, and that may be late on a busy node.
  static std::chrono::nanoseconds patience_for(std::chrono::nanoseconds interval);

  /// Begins to listen and to answer.
  static Result<std::unique_ptr<MetricsServer>> start(const Settings& settings);
  /// Cuts short the answers that are under way.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// The address with the port that was taken.
  const ListenAddress& address() const { return address_; }

  // The following functions are for one thread.
  /// To be called when counting has begun: /healthz is well from now on.
  void begin(const ProbeStates& probes);
  /// The next three do what those of Metrics do. A series that end() has ended is gone with the
  /// next update().
  void update(const DropTable& table, const Names& names);
  void end(const Presence& presence, std::uint64_t now_ns) { metrics_.end(presence, now_ns); }
  std::optional<std::string> take_warning();
  /// To be called about every second: loads the files of TLS and passwords again when they have
  /// changed. Returns a warning for the user when something is wrong with them; the former settings
  /// stay in force then.
  std::optional<std::string> renew_access();

 private:
  using Clock = std::chrono::steady_clock;
  struct Thread;

  explicit MetricsServer(const Settings& settings);
  Result<> load_access();
  Result<> listen(const HttpLimits& limits);
  Result<> answer_in_background();
  void write_text();
  void take_renewed();
  SSL* encrypt();
  HttpAnswer answer(const HttpRequest& request, const Peer& peer);
  HttpAnswer health();

  ListenAddress address_;
  const std::chrono::nanoseconds patience_;
  Metrics metrics_;  // not for the answering thread, which hands out the text that is written of it
  std::optional<WebAccessFile> access_file_;
  WebAccess access_;  // belongs to the answering thread once that runs
  std::mutex mutex_;  // protects the three members below
  SharedText text_;
  std::optional<Clock::time_point> updated_;
  std::optional<WebAccess> renewed_;
  std::unique_ptr<HttpServer> http_;
  std::optional<pthread_t> thread_;
};

}  // namespace dptrace
