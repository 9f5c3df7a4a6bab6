#include "metrics/http_server.hpp"

#include <event2/buffer.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <string_view>

namespace dptrace {

namespace {

constexpr int kAtOnce =
    16;  // most connections accepted in a row before those already open are served
// A connection that waits for a request keeps its place at least this long, also when others need
// it.
constexpr std::chrono::seconds kLeastWait{1};
constexpr timeval kPause{1, 0};

constexpr std::string_view kBusy =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 21\r\nConnection: close\r\n\r\ntoo many connections\n";

constexpr std::string_view kPlain =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 23\r\nConnection: close\r\n\r\nthis port speaks https\n";

const char* words_of(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Unknown";
  }
}

std::string date() {
  const time_t now = time(nullptr);
  tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  return {text, strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts)};
}

timeval to_timeval(std::chrono::milliseconds time) {
  return {time.count() / 1000, time.count() % 1000 * 1000};
}

std::size_t bounded_by_descriptors(std::size_t connections) {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return connections;
  return std::clamp<std::size_t>(files.rlim_cur / 8, 4, connections);
}

HttpLimits with_reserve(HttpLimits limits) {
  limits.connections = bounded_by_descriptors(limits.connections);
  return limits;
}

// The header that tells a client how to get another answer.
const char* remedy_of(int status) {
  switch (status) {
    case 401:
      return "WWW-Authenticate: Basic realm=\"dptrace\", charset=\"UTF-8\"\r\n";
    case 405:
      return "Allow: GET, HEAD\r\n";
    case 429:
      return "Retry-After: 2\r\n";
    default:
      return "";
  }
}

// Answers without TLS and ends. The request is read first: a connection that is closed with unread
// bytes is reset, and the client may lose the answer.
void tell_and_end(int client, std::string_view answer) {
  char unread[4096];
  (void)!recv(client, unread, sizeof unread, MSG_DONTWAIT);
  (void)!send(client, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  shutdown(client, SHUT_WR);
}

void release(const void*, size_t, void* holder) { delete static_cast<SharedText*>(holder); }

}  // namespace

struct HttpServer::Connection {
  enum class State {
    kReading,
    kAnswering,
    kEnding,  // all is sent; what still comes is dropped until the client ends the connection
  };

  HttpServer& server;
  Peer peer;
  std::unique_ptr<bufferevent, Deleter<bufferevent_free>> stream;
  Event deadline;
  State state = State::kReading;
  bool keeps_open = false;
  bool client_is_done = false;
  std::chrono::steady_clock::time_point since{};

  int fd() const { return bufferevent_getfd(stream.get()); }
  SSL* tls() const { return bufferevent_openssl_get_ssl(stream.get()); }
  evbuffer* input() const { return bufferevent_get_input(stream.get()); }
  bool is_waiting() const { return state == State::kReading && evbuffer_get_length(input()) == 0; }
};

HttpServer::HttpServer(OwnedFd listening, HttpService service, HttpLimits limits)
    : limits_(with_reserve(limits)),
      service_(service),
      listening_(std::move(listening)),
      stop_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      base_(event_base_new()) {
  // libevent would report clients that break off, which are no concern of our user.
  event_set_log_callback([](int, const char*) {});
  if (!base_) return;
  const auto on_stop = [](evutil_socket_t, short, void* base) {
    event_base_loopbreak(static_cast<event_base*>(base));
  };
  const auto on_client = [](evutil_socket_t, short, void* server) {
    static_cast<HttpServer*>(server)->accept_some();
  };
  const auto on_resume = [](evutil_socket_t, short, void* server) {
    event_add(static_cast<HttpServer*>(server)->accept_event_.get(), nullptr);
  };
  stop_event_.reset(event_new(base_.get(), stop_.get(), EV_READ, on_stop, base_.get()));
  accept_event_.reset(
      event_new(base_.get(), listening_.get(), EV_READ | EV_PERSIST, on_client, this));
  resume_event_.reset(event_new(base_.get(), -1, 0, on_resume, this));
}

HttpServer::~HttpServer() = default;

bool HttpServer::is_ready() const {
  return base_ && stop_ && stop_event_ && accept_event_ && resume_event_ &&
         event_add(stop_event_.get(), nullptr) == 0 && event_add(accept_event_.get(), nullptr) == 0;
}

void HttpServer::run() { event_base_dispatch(base_.get()); }

void HttpServer::stop() { eventfd_write(stop_.get(), 1); }

void HttpServer::accept_some() {
  for (int i = 0; i < kAtOnce; ++i) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    OwnedFd client(accept4(listening_.get(), reinterpret_cast<sockaddr*>(&address), &length,
                           SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) {
      const bool is_short =
          errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
      // The socket stays readable, so asking on would take a whole processor.
      if (is_short) pause_accepting();
      return;
    }
    Peer peer{};
    if (address.ss_family == AF_INET6) {
      const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
      std::copy_n(v6.s6_addr, 8, peer.begin());
    } else if (address.ss_family == AF_INET) {
      const auto& v4 = reinterpret_cast<const sockaddr_in&>(address).sin_addr;
      std::copy_n(reinterpret_cast<const std::uint8_t*>(&v4), sizeof v4, peer.begin() + 12);
    }
    if (make_room(peer)) {
      add(std::move(client), peer);
    } else if (service_.encrypt == nullptr) {
      tell_and_end(client.get(), kBusy);
    }
  }
}

void HttpServer::pause_accepting() {
  event_del(accept_event_.get());
  event_add(resume_event_.get(), &kPause);
}

// Makes room for a connection by closing the oldest one that has waited for a request for
// kLeastWait. False when there is none.
bool HttpServer::make_room(const Peer& peer) {
  const auto has = of_peer_.find(peer);
  const bool is_peer_full = has != of_peer_.end() && has->second >= limits_.per_address;
  if (!is_peer_full && connections_.size() < limits_.connections) return true;
  const auto now = std::chrono::steady_clock::now();
  const auto found = std::find_if(connections_.begin(), connections_.end(), [&](const auto& other) {
    return other.is_waiting() && now - other.since >= kLeastWait &&
           (!is_peer_full || other.peer == peer);
  });
  if (found == connections_.end()) return false;
  close(*found);
  return true;
}

// The stream of a client, which it owns; null when there is none.
bufferevent* HttpServer::begin(int client) {
  if (service_.encrypt == nullptr)
    return bufferevent_socket_new(base_.get(), client, BEV_OPT_CLOSE_ON_FREE);
  SSL* tls = service_.encrypt(service_.context);
  if (tls == nullptr) return nullptr;
  // bufferevent_openssl_socket_new() frees the TLS connection itself when it fails.
  bufferevent* stream = bufferevent_openssl_socket_new(
      base_.get(), client, tls, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
  // Head and body are two TLS records. Without TCP_NODELAY the second would wait until the client
  // acknowledges the first.
  const int yes = 1;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  // HTTP tells the length of requests and answers, so a connection may end without the end that TLS
  // itself has.
  if (stream != nullptr) bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
  return stream;
}

void HttpServer::add(OwnedFd client, const Peer& peer) {
  bufferevent* stream = begin(client.get());
  if (stream == nullptr) return;
  client.release();
  connections_.push_back({*this, peer, {}, {}});
  Connection& connection = connections_.back();
  connection.stream.reset(stream);
  ++of_peer_[peer];
  const auto on_read = [](bufferevent*, void* given) {
    auto& connection = *static_cast<Connection*>(given);
    connection.server.read(connection);
  };
  const auto on_written = [](bufferevent*, void* given) {
    auto& connection = *static_cast<Connection*>(given);
    connection.server.written(connection);
  };
  const auto on_end = [](bufferevent*, short what, void* given) {
    auto& connection = *static_cast<Connection*>(given);
    connection.server.ended(connection, what);
  };
  const auto on_deadline = [](evutil_socket_t, short, void* given) {
    auto& connection = *static_cast<Connection*>(given);
    connection.server.close(connection);
  };
  connection.deadline.reset(event_new(base_.get(), -1, 0, on_deadline, &connection));
  if (!connection.deadline) return close(connection);
  bufferevent_setcb(stream, on_read, on_written, on_end, &connection);
  bufferevent_setwatermark(stream, EV_READ, 0, limits_.request_bytes);
  bufferevent_enable(stream, EV_READ | EV_WRITE);
  await(connection);
}

// Starts the time for the next answer; a client gets no more of it, however it divides it.
void HttpServer::await(Connection& connection) {
  const timeval time = to_timeval(limits_.time);
  connection.state = Connection::State::kReading;
  connection.since = std::chrono::steady_clock::now();
  event_add(connection.deadline.get(), &time);
}

void HttpServer::close(Connection& connection) {
  const auto peer = of_peer_.find(connection.peer);
  if (--peer->second == 0) of_peer_.erase(peer);
  connections_.remove_if([&](const Connection& other) { return &other == &connection; });
}

void HttpServer::read(Connection& connection) {
  evbuffer* input = connection.input();
  if (connection.state == Connection::State::kEnding)
    evbuffer_drain(input, evbuffer_get_length(input));
  if (connection.state != Connection::State::kReading) return;
  constexpr std::string_view kEnd = "\r\n\r\n";
  const auto end = evbuffer_search(input, kEnd.data(), kEnd.size(), nullptr);
  if (end.pos < 0) {
    if (evbuffer_get_length(input) >= limits_.request_bytes) refuse(connection, 431);
    return;
  }
  std::string head(static_cast<std::size_t>(end.pos), '\0');
  evbuffer_remove(input, head.data(), head.size());
  evbuffer_drain(input, kEnd.size());
  if (const auto request = parse_http_request(head)) {
    answer(connection, *request);
  } else {
    refuse(connection, 400);
  }
}

void HttpServer::answer(Connection& connection, const HttpRequest& request) {
  const bool wants_body = request.method != "HEAD";
  connection.keeps_open = request.keeps_open;
  if (wants_body && request.method != "GET") return refuse(connection, 405);
  send(connection, service_.answer(service_.context, request, connection.peer), wants_body);
}

void HttpServer::refuse(Connection& connection, int status) {
  connection.keeps_open = false;
  send(connection,
       {status, "text/plain; charset=utf-8", SharedText(std::string(words_of(status)) + "\n")},
       true);
}

void HttpServer::send(Connection& connection, const HttpAnswer& answer, bool with_body) {
  const auto body = answer.body.text();
  connection.state = Connection::State::kAnswering;
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " " + words_of(answer.status) +
                     "\r\nDate: " + date() + "\r\nContent-Type: " + answer.type +
                     "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  head += remedy_of(answer.status);
  if (!connection.keeps_open) head += "Connection: close\r\n";
  head += "\r\n";
  evbuffer* output = bufferevent_get_output(connection.stream.get());
  evbuffer_add(output, head.data(), head.size());
  if (!with_body || body.empty()) return;
  auto* holder = new SharedText(answer.body);
  if (evbuffer_add_reference(output, body.data(), body.size(), release, holder) != 0) delete holder;
}

void HttpServer::written(Connection& connection) {
  if (connection.state != Connection::State::kAnswering) return;
  if (connection.client_is_done) return close(connection);
  if (connection.keeps_open) {
    await(connection);
    read(connection);  // the next request may have come already
    return;
  }
  connection.state = Connection::State::kEnding;
  if (SSL* tls = connection.tls())
    SSL_shutdown(tls);  // tells the client; its own shutdown is not waited for
  shutdown(connection.fd(), SHUT_WR);
  read(connection);
}

void HttpServer::ended(Connection& connection, short what) {
  if ((what & BEV_EVENT_CONNECTED) != 0) return;  // the handshake is over
  const auto error = bufferevent_get_openssl_error(connection.stream.get());
  if (ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST) tell_and_end(connection.fd(), kPlain);
  // The client has said all that it wants to say, and waits for the answer. With TLS it cannot end
  // one direction alone.
  const bool waits =
      connection.state == Connection::State::kAnswering && connection.tls() == nullptr;
  if ((what & BEV_EVENT_EOF) == 0 || !waits) return close(connection);
  connection.client_is_done = true;
}

}  // namespace dptrace
