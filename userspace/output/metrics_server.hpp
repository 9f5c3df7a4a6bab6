// Metrics over HTTP: /metrics for Prometheus, /healthz for who looks after the process. Answers on
// a thread of its own, so that neither waits for the other.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "model/listen_address.hpp"
#include "model/result.hpp"
#include "output/metrics.hpp"

struct evhttp_request;

namespace dptrace {

class MetricsServer {
 public:
  struct Settings {
    ListenAddress address;                ///< port 0: any that is free
    std::chrono::nanoseconds patience{};  ///< /healthz is well while the last table is no older
    std::string version;
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

  // Any thread may call these.
  /// Counting has begun: /healthz is well from now on.
  void begin(const ProbeStates& probes);
  /// As Metrics has these two.
  void update(const DropTable& table, const Names& names);
  std::optional<std::string> take_warning();

 private:
  using Clock = std::chrono::steady_clock;
  struct Http;  // what is libevent's: touched by the thread alone, once that runs

  explicit MetricsServer(const Settings& settings);
  Result<> listen();
  void answer_in_background();
  static void on_metrics(evhttp_request* request, void* server);
  static void on_health(evhttp_request* request, void* server);

  ListenAddress address_;
  const std::chrono::nanoseconds patience_;
  std::mutex mutex_;  // of the two below
  Metrics metrics_;
  std::optional<Clock::time_point> updated_;
  std::unique_ptr<Http> http_;
  std::thread thread_;
};

}  // namespace dptrace
