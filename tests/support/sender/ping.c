/* ICMP echo requests, and the replies of the peer's kernel: both belong to the sender's own
 * softirq. Flows are echo identifiers of one socket. */
#define _GNU_SOURCE
#include <linux/icmp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sender.h"

struct echo {
  struct icmphdr header;
  char payload[PAYLOAD - sizeof(struct icmphdr)];
};

static int raw;
static uint16_t sequence;
static uint64_t last_sent;

static uint16_t checksum(const void* bytes, size_t length) {
  const uint16_t* words = bytes;
  uint32_t sum = 0;

  for (size_t i = 0; i < length / 2; i++) sum += words[i];
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum;
}

static void open_sockets(const struct ends* ends) {
  struct sockaddr_in from = address(ends->ip, 0), to = address(ends->peer_ip, 0);

  enter_netns(ends->netns);
  raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
  if (raw < 0 || bind(raw, (struct sockaddr*)&from, sizeof(from)) ||
      connect(raw, (struct sockaddr*)&to, sizeof(to)))
    die("raw socket");
}

static void burst(long flow) {
  for (int i = 0; i < BURST; i++) {
    struct echo echo = {.header.type = ICMP_ECHO};

    echo.header.un.echo.id = htons(getpid() + flow);
    echo.header.un.echo.sequence = htons(sequence++);
    echo.header.checksum = checksum(&echo, sizeof(echo));
    if (send(raw, &echo, sizeof(echo), 0) < 0) die("send");
    last_sent++;
  }
}

static void settle(long flow, struct tally* tally) {
  char buffer[256];
  uint64_t replies = 0;

  (void)flow;
  while (recv(raw, buffer, sizeof(buffer), MSG_DONTWAIT) > 0) replies++;
  tally->sent += last_sent + replies;
  tally->received += 2 * replies; /* who is answered was received */
  last_sent = 0;
}

const struct load ping_load = {"ping", open_sockets, burst, settle};
