/* Small segments in one direction, one a write, and their acknowledgements in the other. Reading is
 * on the clock, because it is what sends acknowledgements. The kernel's own count of segments says
 * how many packets that were. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sender.h"

struct connection {
  int from, to;
  uint64_t sent, received; /* segments so far */
};

static struct connection connections[MAX_FLOWS];

static void count_segments(int fd, uint64_t* sent, uint64_t* received) {
  struct tcp_info info = {};
  socklen_t length = sizeof(info);

  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length)) die("TCP_INFO");
  *sent += info.tcpi_segs_out;
  *received += info.tcpi_segs_in;
}

static void settle(long flow, struct tally* tally) {
  struct connection* connection = &connections[flow];
  uint64_t sent = 0, received = 0;

  count_segments(connection->from, &sent, &received);
  count_segments(connection->to, &sent, &received);
  tally->sent += sent - connection->sent;
  tally->received += received - connection->received;
  connection->sent = sent;
  connection->received = received;
}

static void open_sockets(const struct ends* ends) {
  struct sockaddr_in from = address(ends->ip, 0), to = address(ends->peer_ip, PORT);
  const int on = 1;
  int listener;

  enter_netns(ends->peer_netns);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
      bind(listener, (struct sockaddr*)&to, sizeof(to)) || listen(listener, 1))
    die("listener");
  enter_netns(ends->netns);
  for (long i = 0; i < ends->flows; i++) {
    struct connection* connection = &connections[i];
    struct tally handshake = {};

    connection->from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->from < 0 || bind(connection->from, (struct sockaddr*)&from, sizeof(from)) ||
        setsockopt(connection->from, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        connect(connection->from, (struct sockaddr*)&to, sizeof(to)))
      die("connect");
    connection->to = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (connection->to < 0) die("accept");
    settle(i, &handshake);
  }
  close(listener);
}

static void burst(long flow) {
  static char buffer[BURST * PAYLOAD];
  const struct connection* connection = &connections[flow];

  for (int i = 0; i < BURST; i++)
    if (send(connection->from, buffer, PAYLOAD, MSG_DONTWAIT) < 0 && errno != EAGAIN) die("send");
  if (recv(connection->to, buffer, sizeof(buffer), MSG_DONTWAIT) < 0 && errno != EAGAIN)
    die("recv");
}

const struct load tcp_load = {"tcp", open_sockets, burst, settle};
