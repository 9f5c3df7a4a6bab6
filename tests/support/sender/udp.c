/* Datagrams in one direction. The receiver is emptied off the clock, so that none is dropped for
 * want of a reader. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "sender.h"

static int receiver, senders[MAX_FLOWS];
static uint64_t payloads[BURST][PAYLOAD / sizeof(uint64_t)], sequence;
static struct iovec vectors[BURST];
static struct mmsghdr messages[BURST];
static int last_sent;

static int open_socket(struct sockaddr_in local) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || bind(fd, (struct sockaddr*)&local, sizeof(local))) die("socket");
  return fd;
}

static void open_sockets(const struct ends* ends) {
  struct sockaddr_in to = address(ends->peer_ip, PORT);

  enter_netns(ends->peer_netns);
  receiver = open_socket(to);
  enter_netns(ends->netns);
  for (long i = 0; i < ends->flows; i++) {
    senders[i] = open_socket(address(ends->ip, 0));
    if (connect(senders[i], (struct sockaddr*)&to, sizeof(to))) die("connect");
  }
  for (int i = 0; i < BURST; i++) {
    vectors[i] = (struct iovec){payloads[i], PAYLOAD};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  sequence = (uint64_t)time(NULL) << 32; /* no packet is like one of a run before */
}

static void burst(long flow) {
  for (int i = 0; i < BURST; i++) payloads[i][0] = sequence++;
  last_sent = sendmmsg(senders[flow], messages, BURST, 0);
  if (last_sent < 0) die("sendmmsg");
}

static void settle(long flow, struct tally* tally) {
  static char buffers[BURST][PAYLOAD];
  struct mmsghdr taken[BURST] = {};
  struct iovec into[BURST];
  int count;

  (void)flow;
  for (int i = 0; i < BURST; i++) {
    into[i] = (struct iovec){buffers[i], PAYLOAD};
    taken[i].msg_hdr.msg_iov = &into[i];
    taken[i].msg_hdr.msg_iovlen = 1;
  }
  while ((count = recvmmsg(receiver, taken, BURST, MSG_DONTWAIT, NULL)) > 0)
    tally->received += count;
  tally->sent += last_sent;
  last_sent = 0;
}

const struct load udp_load = {"udp", open_sockets, burst, settle};
