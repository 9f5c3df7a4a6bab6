#include "metrics/metrics_server.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <semaphore>

#include "metrics/listening_socket.hpp"
#include "os/privileges.hpp"

namespace dptrace {

namespace {

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kExposition = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace

MetricsServer::MetricsServer(const Settings& settings)
    : address_(settings.address), patience_(settings.patience), metrics_(settings.version) {
  if (!settings.web_config.empty()) access_file_.emplace(settings.web_config);
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
  // Certificates are loaded before the first client comes, and while files can be opened.
  if (auto loaded = server->load_access(); !loaded)
    return tl::unexpected(std::move(loaded.error()));
  if (auto listening = server->listen(settings.limits); !listening)
    return tl::unexpected(std::move(listening.error()));
  if (auto answering = server->answer_in_background(); !answering)
    return tl::unexpected(std::move(answering.error()));
  return server;
}

Result<> MetricsServer::load_access() {
  if (!access_file_) return {};
  auto loaded = access_file_->load();
  if (!loaded) return failure("--metrics-config: " + loaded.error().message);
  access_ = std::move(*loaded);
  return {};
}

Result<> MetricsServer::listen(const HttpLimits& limits) {
  auto socket = listen_on(address_);
  if (!socket) return failure("--metrics: " + socket.error().message);
  address_.port = port_of(*socket);
  HttpService service{};
  service.context = this;
  service.answer = [](void* server, const HttpRequest& request, const Peer& peer) {
    return static_cast<MetricsServer*>(server)->answer(request, peer);
  };
  if (access_.tls)
    service.encrypt = [](void* server) { return static_cast<MetricsServer*>(server)->encrypt(); };
  http_ = std::make_unique<HttpServer>(std::move(*socket), service, limits);
  if (!http_->is_ready())
    return failure(fmt::format("--metrics: serving {}: no file descriptor left", address_.text()));
  return {};
}

// Thread has the arguments of the serving thread, and tells whether the thread could be confined.
struct MetricsServer::Thread {
  HttpServer& http;
  Result<> confined;
  std::binary_semaphore is_told{0};

  static void* run(void* given) {
    auto& start = *static_cast<Thread*>(given);
    HttpServer& http = start.http;
    // This thread reads what clients send, so it is this thread that is confined: capabilities and
    // filters are each thread's own.
    start.confined = confine_to_serving();
    const bool is_confined = start.confined.has_value();
    start.is_told.release();
    if (is_confined) http.run();
    return nullptr;
  }
};

// The thread is not a std::thread, for the reason in shared_text.hpp.
Result<> MetricsServer::answer_in_background() {
  Thread start{*http_, {}};
  // The main thread handles signals, so the new thread, which inherits the mask, gets none.
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

std::optional<std::string> MetricsServer::renew_access() {
  if (!access_file_) return {};
  if (auto warning = access_file_->take_warning()) return "--metrics-config: " + *warning;
  auto renewed = access_file_->renewed();
  if (!renewed) return {};
  if (!*renewed) {
    return "--metrics-config: what was read before is still in use, for the file has changed and "
           "cannot be used: " +
           renewed->error().message;
  }
  const std::lock_guard lock(mutex_);
  renewed_ = std::move(**renewed);
  return {};
}

// The text is written once for all clients, so their number does not change its cost.
void MetricsServer::write_text() {
  SharedText text(metrics_.text());
  const std::lock_guard lock(mutex_);
  text_ = std::move(text);
}

void MetricsServer::take_renewed() {
  const std::lock_guard lock(mutex_);
  if (renewed_) access_ = std::move(*renewed_);
  renewed_.reset();
}

SSL* MetricsServer::encrypt() {
  take_renewed();
  return access_.tls ? access_.tls->new_connection() : nullptr;
}

HttpAnswer MetricsServer::answer(const HttpRequest& request, const Peer& peer) {
  take_renewed();
  if (access_.users) {
    switch (access_.users->check(request.authorization, peer, Clock::now())) {
      case BasicAuth::Verdict::kAdmitted:
        break;
      case BasicAuth::Verdict::kRefused:
        return {401, kText, SharedText("a user and a password are wanted\n")};
      case BasicAuth::Verdict::kTooSoon:
        return {429, kText, SharedText("a wrong password has just come from there\n")};
      case BasicAuth::Verdict::kBusy:
        return {503, kText, SharedText("too many passwords are being checked\n")};
    }
  }
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
