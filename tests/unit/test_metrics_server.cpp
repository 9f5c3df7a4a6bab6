#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "metrics/metrics_server.hpp"
#include "os/owned_fd.hpp"

using namespace dptrace;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;
using namespace std::chrono_literals;

namespace {

MetricsServer::Settings settings(const char* ip, std::uint16_t port = 0) {
  return {.address = {Address::parse(ip).value(), port}, .patience = 1h, .version = "0.1.0"};
}

// The whole answer to a request, as HTTP/1.0 so that the server ends it.
std::string ask(const ListenAddress& server, const std::string& request) {
  const bool v4 = server.ip.is_ipv4();
  const OwnedFd client(socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM, 0));
  sockaddr_in to4{
      .sin_family = AF_INET, .sin_port = htons(server.port), .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 to6{};
  to6.sin6_family = AF_INET6;
  to6.sin6_port = htons(server.port);
  inet_pton(AF_INET, server.ip.text().c_str(), &to4.sin_addr);
  inet_pton(AF_INET6, server.ip.text().c_str(), &to6.sin6_addr);
  const int connected = v4 ? connect(client.get(), reinterpret_cast<sockaddr*>(&to4), sizeof to4)
                           : connect(client.get(), reinterpret_cast<sockaddr*>(&to6), sizeof to6);
  if (connected != 0) return "not connected";
  if (write(client.get(), request.data(), request.size()) < 0) return "not sent";
  std::string answer;
  char buffer[4096];
  for (ssize_t size = 0; (size = read(client.get(), buffer, sizeof buffer)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(size));
  return answer;
}

std::string get(const ListenAddress& server, const std::string& path) {
  return ask(server, "GET " + path + " HTTP/1.0\r\n\r\n");
}

std::size_t threads() {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/task"),
                    std::filesystem::directory_iterator()));
}

}  // namespace

TEST_CASE("the server serves metrics and health, and nothing else") {
  const auto server = MetricsServer::start(settings("127.0.0.1"));
  REQUIRE(server);
  const auto& address = (*server)->address();
  CHECK(address.port != 0);
  CHECK_THAT(get(address, "/healthz"),
             StartsWith("HTTP/1.1 503 ") && Contains("counting has not begun"));
  (*server)->begin({});
  const auto metrics = get(address, "/metrics");
  CHECK_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  CHECK_THAT(metrics, Contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  CHECK_THAT(metrics, Contains("\ndptrace_build_info{version=\"0.1.0\"} 1\n"));
  CHECK_THAT(get(address, "/healthz"), StartsWith("HTTP/1.1 200 ") && Contains("\r\n\r\nok\n"));
  for (const auto* path : {"/", "/metrics/..", "/etc/passwd", "/../../etc/passwd", "//metrics"})
    CHECK_THAT(get(address, path), StartsWith("HTTP/1.1 404 "));
  for (const std::string method : {"POST", "PUT", "DELETE", "HEADS"})
    CHECK_THAT(ask(address, method + " /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n"),
               Contains(" 405 ") && !Contains("dptrace_build_info"));
  CHECK_THAT(ask(address, "nonsense\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  const auto head = ask(address, "HEAD /metrics HTTP/1.0\r\n\r\n");
  CHECK_THAT(head, StartsWith("HTTP/1.1 200 ") && Contains("\r\nContent-Length: "));
  CHECK_THAT(head, EndsWith("\r\n\r\n"));
  CHECK_THAT(get(address, "/healthz"), StartsWith("HTTP/1.1 200 "));
}

TEST_CASE("requests follow each other on a connection, also those that came together") {
  const auto server = MetricsServer::start(settings("127.0.0.1"));
  REQUIRE(server);
  (*server)->begin({});
  const auto answers =
      ask((*server)->address(),
          "GET /healthz HTTP/1.1\r\n\r\nHEAD /healthz HTTP/1.1\r\n\r\n"
          "GET /nothing HTTP/1.1\r\nConnection: close\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n");
  std::size_t count = 0;
  for (auto at = answers.find("HTTP/1.1 "); at != std::string::npos;
       at = answers.find("HTTP/1.1 ", at + 1))
    ++count;
  CHECK(count == 3);
  CHECK_THAT(answers, StartsWith("HTTP/1.1 200 ") && Contains("HTTP/1.1 404 "));
}

TEST_CASE("a request that is too long, or too slow, is ended") {
  auto hurried = settings("127.0.0.1");
  hurried.limits.time = 200ms;
  hurried.limits.request_bytes = 100;
  const auto server = MetricsServer::start(hurried);
  REQUIRE(server);
  const auto& address = (*server)->address();
  CHECK_THAT(get(address, "/" + std::string(200, 'x')), StartsWith("HTTP/1.1 431 "));
  CHECK(ask(address, "GET /metrics HTTP/1.1\r\n").empty());
}

TEST_CASE("what is counted is served") {
  const auto server = MetricsServer::start(settings("127.0.0.1"));
  REQUIRE(server);
  DropTable table;
  table.samples_lost = 3;
  (*server)->update(table, Names());
  (*server)->begin({{"kfree_skb", "tp_btf", true, "", ""}});
  const auto metrics = get((*server)->address(), "/metrics");
  CHECK_THAT(metrics, Contains("dptrace_events_lost_total{stage=\"ring\"} 3\n"));
  CHECK_THAT(metrics, Contains("dptrace_probe_attached{probe=\"kfree_skb\"} 1\n"));
}

TEST_CASE("health is gone when no reading has come for long") {
  auto impatient = settings("127.0.0.1");
  impatient.patience = -1ns;
  const auto server = MetricsServer::start(impatient);
  REQUIRE(server);
  (*server)->update(DropTable(), Names());
  CHECK_THAT(get((*server)->address(), "/healthz"),
             StartsWith("HTTP/1.1 503 ") && Contains("have not been read for 0 s"));
  CHECK(MetricsServer::patience_for(1min) == 3min);
  CHECK(MetricsServer::patience_for(100ms) == 5s);
}

TEST_CASE("a port in use is named, with what to do") {
  const auto first = MetricsServer::start(settings("127.0.0.1"));
  REQUIRE(first);
  const auto port = (*first)->address().port;
  const auto second = MetricsServer::start(settings("127.0.0.1", port));
  REQUIRE_FALSE(second);
  CHECK_THAT(second.error().message,
             Contains("127.0.0.1:" + std::to_string(port) + ": Address already in use (") &&
                 Contains("another port"));
}

TEST_CASE("an address that this machine does not have is refused") {
  const auto server = MetricsServer::start(settings("192.0.2.1", 9435));
  REQUIRE_FALSE(server);
  CHECK_THAT(server.error().message, Contains("192.0.2.1:9435: Cannot assign requested address ("));
}

TEST_CASE("IPv6 is served on IPv6") {
  const OwnedFd probe(socket(AF_INET6, SOCK_STREAM, 0));
  const auto server = MetricsServer::start(settings("::1"));
  REQUIRE(server.has_value() == static_cast<bool>(probe));
  if (server) CHECK_THAT(get((*server)->address(), "/metrics"), Contains("dptrace_build_info"));
}

TEST_CASE("the server ends with a client connected, and leaves nothing") {
  const auto before = threads();
  OwnedFd client(socket(AF_INET, SOCK_STREAM, 0));
  ListenAddress address;
  {
    const auto server = MetricsServer::start(settings("127.0.0.1"));
    REQUIRE(server);
    CHECK(threads() == before + 1);
    address = (*server)->address();
    sockaddr_in to{.sin_family = AF_INET,
                   .sin_port = htons(address.port),
                   .sin_addr = {htonl(INADDR_LOOPBACK)},
                   .sin_zero = {}};
    REQUIRE(connect(client.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  }
  CHECK(threads() == before);
  CHECK(get(address, "/healthz") == "not connected");
  // At once, and though the client is still there.
  CHECK(MetricsServer::start(settings("127.0.0.1", address.port)));
}
