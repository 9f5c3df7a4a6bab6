#include "output/metrics_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <semaphore>

#include "os/privileges.hpp"
#include "output/listening_socket.hpp"

namespace dptrace {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kExposition = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

MetricsServer::MetricsServer(const Settings& settings)
    : address_(settings.address), patience_(settings.patience), metrics_(settings.version) {
  write_text();
}

std::chrono::nanoseconds MetricsServer::patience_for(std::chrono::nanoseconds interval) {
  return std::max<std::chrono::nanoseconds>(3 * interval, std::chrono::seconds(5));
}

MetricsServer::~MetricsServer() {
  if (!thread_) return;
  http_->stop();
  pthread_join(*thread_, nullptr);
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const Settings& settings) {
  std::unique_ptr<MetricsServer> server(new MetricsServer(settings));
  if (auto listening = server->listen(settings.limits); !listening)
    return tl::unexpected(std::move(listening.error()));
  if (auto answering = server->answer_in_background(); !answering)
    return tl::unexpected(std::move(answering.error()));
  return server;
}

Result<> MetricsServer::listen(const HttpLimits& limits) {
  auto socket = listen_on(address_);
  if (!socket) return failure("--metrics: " + socket.error().message);
  address_.port = port_of(*socket);
  const auto handler = [](void* server, const HttpRequest& request) {
    return static_cast<MetricsServer*>(server)->answer(request);
  };
  http_ = std::make_unique<HttpServer>(std::move(*socket), handler, this, limits);
  if (!http_->is_ready())
    return failure(fmt::format("--metrics: serving {}: no file descriptor left", address_.text()));
  return {};
}

// What the thread is told, and what it tells before it begins.
struct MetricsServer::Thread {
  HttpServer& http;
  Result<> confined;
  std::binary_semaphore is_told{0};

  static void* run(void* given) {
    auto& start = *static_cast<Thread*>(given);
    HttpServer& http = start.http;
    // Capabilities and filters are each thread's own, and what clients say is read by this one.
    start.confined = confine_to_serving();
    const bool is_confined = start.confined.has_value();
    start.is_told.release();
    if (is_confined) http.run();
    return nullptr;
  }
};

// Not by std::thread: see SharedText.
Result<> MetricsServer::answer_in_background() {
  Thread start{*http_, {}};
  // Signals are the main thread's; a new thread inherits the mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  const int error = pthread_create(&thread, nullptr, Thread::run, &start);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error != 0)
    return failure(fmt::format("--metrics: starting a thread: {}", std::strerror(error)));
  thread_ = thread;
  start.is_told.acquire();
  if (!start.confined) return failure("--metrics: " + start.confined.error().message);
  return {};
}

void MetricsServer::begin(const ProbeStates& probes) {
  metrics_.set_probes(probes);
  write_text();
  const std::lock_guard lock(mutex_);
  updated_ = Clock::now();
}

void MetricsServer::update(const DropTable& table, const Names& names) {
  metrics_.update(table, names);
  write_text();
  const std::lock_guard lock(mutex_);
  updated_ = Clock::now();
}

std::optional<std::string> MetricsServer::take_warning() { return metrics_.take_warning(); }

// Once for all who will ask: however often they do, it costs the same.
void MetricsServer::write_text() {
  SharedText text(metrics_.text());
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

HttpAnswer MetricsServer::answer(const HttpRequest& request) {
  if (request.path == "/healthz") return health();
  if (request.path != "/metrics")
    return {404, kText, SharedText("there are /metrics and /healthz\n")};
  const std::lock_guard lock(mutex_);
  return {200, kExposition, text_};
}

HttpAnswer MetricsServer::health() {
  std::unique_lock lock(mutex_);
  const auto updated = updated_;
  lock.unlock();
  if (!updated) return {503, kText, SharedText("counting has not begun\n")};
  const auto age = Clock::now() - *updated;
  if (age <= patience_) return {200, kText, SharedText("ok\n")};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  return {503, kText,
          SharedText("the counts have not been read for " + std::to_string(seconds) + " s\n")};
}

}  // namespace dptrace
