// An HTTP server for few clients among many: what one connection may take of time and memory is
// bounded, and so is how many there are, of one address and of all.
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
  std::size_t per_address = 16;      ///< IPv6: of a /64
  std::size_t request_bytes = 8192;  ///< line and headers
  /// From a connection, with its handshake, or the last answer to the next answer.
  std::chrono::milliseconds time{10'000};
};

struct HttpAnswer {
  int status = 200;
  const char* type = "";
  SharedText body;
};

/// A service answers requests. The thread that runs the server calls it.
struct HttpService {
  HttpAnswer (*answer)(void* context, const HttpRequest& request, const Peer& peer);
  /// TLS for a new connection, whose owner is then the server. Null: it is dropped. The function
  /// itself is null where connections are plain.
  SSL* (*encrypt)(void* context);
  void* context;
};

class HttpServer {
 public:
  /// `listening` does not block. Descriptors beyond what the process may have are not taken: most
  /// of them are left to others.
  HttpServer(OwnedFd listening, HttpService service, HttpLimits limits = {});
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  bool is_ready() const;
  /// Serves until stop(). To be called once, by the one thread that touches any of it meanwhile.
  void run();
  /// Any thread may.
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
