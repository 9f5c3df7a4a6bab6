// Metrics over HTTP: /metrics for Prometheus, /healthz for who looks after the process. Answers on
// a thread of its own, so that neither waits for the other; that thread has given up all that it
// could do harm with before it reads a client's first byte.
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
    ListenAddress address;                ///< port 0: any that is free
    std::chrono::nanoseconds patience{};  ///< /healthz is well while the last table is no older
    std::string version;
    std::string web_config{};  ///< its path; empty: plain HTTP, for whoever comes
    HttpLimits limits{};
  };
  /// For tables that are due every `interval` and may be late, as on a node that is busy.
  static std::chrono::nanoseconds patience_for(std::chrono::nanoseconds interval);

  /// Listens and answers from now on.
  static Result<std::unique_ptr<MetricsServer>> start(const Settings& settings);
  /// Cuts short what is being answered.
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// With the port that was taken.
  const ListenAddress& address() const { return address_; }

  // One thread may call these.
  /// Counting has begun: /healthz is well from now on.
  void begin(const ProbeStates& probes);
  /// As Metrics has these three; what has ended is gone with the next update.
  void update(const DropTable& table, const Names& names);
  void end(const Presence& presence, std::uint64_t now_ns) { metrics_.end(presence, now_ns); }
  std::optional<std::string> take_warning();
  /// To be called about every second: takes what the files of TLS and passwords say once they have
  /// changed. What is wrong with them, for the user; what was good before goes on.
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
  Metrics metrics_;  // not the thread's that answers: that one hands out what was written of it
  std::optional<WebAccessFile> access_file_;
  WebAccess access_;  // once it runs, of the thread that answers
  std::mutex mutex_;  // of the three below
  SharedText text_;
  std::optional<Clock::time_point> updated_;
  std::optional<WebAccess> renewed_;
  std::unique_ptr<HttpServer> http_;
  std::optional<pthread_t> thread_;
};

}  // namespace dptrace
