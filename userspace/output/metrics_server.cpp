#include "output/metrics_server.hpp"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <csignal>

#include "os/privileges.hpp"
#include "output/listening_socket.hpp"

namespace dptrace {

namespace {

constexpr int kIdleSeconds = 10;  // then a connection is closed
constexpr int kRequestBytes = 8192;

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kExposition = "text/plain; version=0.0.4; charset=utf-8";

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

void answer(evhttp_request* request, int status, const char* type, const std::string& body) {
  evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", type);
  const std::unique_ptr<evbuffer, Deleter<evbuffer_free>> buffer(evbuffer_new());
  evbuffer_add(buffer.get(), body.data(), body.size());
  evhttp_send_reply(request, status, nullptr, buffer.get());
}

void on_other(evhttp_request* request, void*) {
  answer(request, HTTP_NOTFOUND, kText, "there are /metrics and /healthz\n");
}

void on_stop(evutil_socket_t, short, void* base) {
  event_base_loopbreak(static_cast<event_base*>(base));
}

}  // namespace

struct MetricsServer::Http {
  OwnedFd stop{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<event_base, Deleter<event_base_free>> base{event_base_new()};
  std::unique_ptr<event, Deleter<event_free>> stop_event{
      event_new(base.get(), stop.get(), EV_READ, on_stop, base.get())};
  std::unique_ptr<evhttp, Deleter<evhttp_free>> server{evhttp_new(base.get())};
};

MetricsServer::MetricsServer(const Settings& settings)
    : address_(settings.address), patience_(settings.patience), metrics_(settings.version) {}

std::chrono::nanoseconds MetricsServer::patience_for(std::chrono::nanoseconds interval) {
  return std::max<std::chrono::nanoseconds>(3 * interval, std::chrono::seconds(5));
}

MetricsServer::~MetricsServer() {
  if (!thread_.joinable()) return;
  eventfd_write(http_->stop.get(), 1);
  thread_.join();
}

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const Settings& settings) {
  std::unique_ptr<MetricsServer> server(new MetricsServer(settings));
  if (auto listening = server->listen(); !listening)
    return tl::unexpected(std::move(listening.error()));
  server->answer_in_background();
  return server;
}

Result<> MetricsServer::listen() {
  auto socket = listen_on(address_);
  if (!socket) return failure("--metrics: " + socket.error().message);
  address_.port = port_of(*socket);

  // libevent would tell of clients that break off; they are not our user's affair.
  event_set_log_callback([](int, const char*) {});
  http_ = std::make_unique<Http>();
  evhttp* server = http_->server.get();
  evhttp_set_timeout(server, kIdleSeconds);
  evhttp_set_max_headers_size(server, kRequestBytes);
  evhttp_set_max_body_size(server, kRequestBytes);
  evhttp_set_allowed_methods(server, EVHTTP_REQ_GET);
  evhttp_set_gencb(server, on_other, nullptr);
  evhttp_set_cb(server, "/metrics", on_metrics, this);
  evhttp_set_cb(server, "/healthz", on_health, this);
  event_add(http_->stop_event.get(), nullptr);
  // It closes the descriptor that it is given.
  const int own = fcntl(socket->get(), F_DUPFD_CLOEXEC, 0);
  if (own < 0 || evhttp_accept_socket(server, own) != 0)
    return failure(fmt::format("--metrics: serving {}: no file descriptor left", address_.text()));
  return {};
}

void MetricsServer::answer_in_background() {
  // Signals are the main thread's; a new thread inherits the mask.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  // Capabilities are each thread's own, and what clients say is read by this one.
  thread_ = std::thread([base = http_->base.get()] {
    if (keep_capabilities({})) event_base_dispatch(base);
  });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void MetricsServer::begin(const ProbeStates& probes) {
  const std::lock_guard lock(mutex_);
  metrics_.set_probes(probes);
  updated_ = Clock::now();
}

void MetricsServer::update(const DropTable& table, const Names& names) {
  const std::lock_guard lock(mutex_);
  metrics_.update(table, names);
  updated_ = Clock::now();
}

std::optional<std::string> MetricsServer::take_warning() {
  const std::lock_guard lock(mutex_);
  return metrics_.take_warning();
}

void MetricsServer::on_metrics(evhttp_request* request, void* context) {
  auto& server = *static_cast<MetricsServer*>(context);
  std::unique_lock lock(server.mutex_);
  const std::string text = server.metrics_.text();
  lock.unlock();
  answer(request, HTTP_OK, kExposition, text);
}

void MetricsServer::on_health(evhttp_request* request, void* context) {
  auto& server = *static_cast<MetricsServer*>(context);
  std::unique_lock lock(server.mutex_);
  const auto updated = server.updated_;
  lock.unlock();
  if (!updated) return answer(request, HTTP_SERVUNAVAIL, kText, "counting has not begun\n");
  const auto age = Clock::now() - *updated;
  if (age <= server.patience_) return answer(request, HTTP_OK, kText, "ok\n");
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(age).count();
  answer(request, HTTP_SERVUNAVAIL, kText,
         fmt::format("the counts have not been read for {} s\n", seconds));
}

}  // namespace dptrace
