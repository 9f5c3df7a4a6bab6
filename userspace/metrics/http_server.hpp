// HttpServer serves few clients, whom many others may disturb. It bounds the time and memory that
// one connection may take, and the number of connections, of one address and of all.
#pragma once

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>

#include "metrics/http_request.hpp"
#include "metrics/shared_text.hpp"
#include "os/deleter.hpp"
#include "os/owned_fd.hpp"
#include "web/peer.hpp"

namespace dptrace {

struct HttpLimits {
  std::size_t connections = 64;
  std::size_t per_address = 16;      ///< for IPv6, per /64
  std::size_t request_bytes = 8192;  ///< for the request line and the headers
  /// The time for the first answer from the connection on, with its handshake, and then from each
  /// answer to the next.
  std::chrono::milliseconds time{10'000};
};

struct HttpAnswer {
  int status = 200;
  const char* type = "";
  SharedText body;
};

/// A service answers requests. It is called by the thread that runs the server.
struct HttpService {
  HttpAnswer (*answer)(void* context, const HttpRequest& request, const Peer& peer);
  /// Makes TLS for a new connection; the server owns the result. When it returns null the
  /// connection is dropped. The pointer itself is null when connections are plain.
  SSL* (*encrypt)(void* context);
  void* context;
};

class HttpServer {
 public:
  /// `listening` is non-blocking. The server does not use up the descriptors that the process may
  /// have: most of them are left to others.
  HttpServer(OwnedFd listening, HttpService service, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  bool is_ready() const;
  /// Serves until stop(). To be called once, by the only thread that touches the server meanwhile.
  void run();
  /// Ends run(); any thread may call it.
  void stop();

 private:
  using Event = std::unique_ptr<event, Deleter<event_free>>;
  struct Connection;
  using Connections = std::list<Connection>;

  void accept_some();
  void pause_accepting();
  bool make_room(const Peer& peer);
  bufferevent* begin(int client);
  void add(OwnedFd client, const Peer& peer);
  void close(Connection& connection);
  void read(Connection& connection);
  void answer(Connection& connection, const HttpRequest& request);
  void refuse(Connection& connection, int status);
  void send(Connection& connection, const HttpAnswer& answer, bool with_body);
  void written(Connection& connection);
  void ended(Connection& connection, short what);
  void await(Connection& connection);

  const HttpLimits limits_;
  const HttpService service_;
  OwnedFd listening_;
  OwnedFd stop_;
  std::unique_ptr<event_base, Deleter<event_base_free>> base_;
  Event stop_event_;
  Event accept_event_;
  Event resume_event_;
  Connections connections_;
  std::map<Peer, std::size_t> of_peer_;
};

}  // namespace dptrace
