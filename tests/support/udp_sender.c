/* The load of scripts/benchmark: small UDP datagrams from one network namespace to another, and the
 * CPU time they cost.
 *
 * A thread sends a burst; its own softirq carries each packet over all devices up to the receiving
 * socket. It then empties that socket, off the clock, so that no packet is dropped for want of a
 * reader. Prints one line of JSON.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
  BURST = 32,
  PAYLOAD = 64,
  MAX_FLOWS = 1024,
  PORT = 9,
  DEADLINE_SECONDS = 120, /* a run never takes longer, in a slow guest neither */
};

static void die(const char* what) {
  fprintf(stderr, "udp_sender: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;

  if (clock_gettime(clock, &now)) die("clock_gettime");
  return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void enter_netns(const char* name) {
  char path[256];
  int fd;

  snprintf(path, sizeof(path), "/run/netns/%s", name);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET)) die(path);
  close(fd);
}

static struct sockaddr_in address(const char* ip, uint16_t port) {
  struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons(port)};

  if (inet_pton(AF_INET, ip, &result.sin_addr) != 1) {
    errno = EINVAL;
    die(ip);
  }
  return result;
}

static int open_socket(struct sockaddr_in local) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

  if (fd < 0 || bind(fd, (struct sockaddr*)&local, sizeof(local))) die("socket");
  return fd;
}

static uint64_t drain(int fd) {
  static char buffers[BURST][PAYLOAD];
  struct mmsghdr messages[BURST] = {};
  struct iovec vectors[BURST];
  uint64_t total = 0;
  int count;

  for (int i = 0; i < BURST; i++) {
    vectors[i] = (struct iovec){buffers[i], PAYLOAD};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  while ((count = recvmmsg(fd, messages, BURST, MSG_DONTWAIT, NULL)) > 0) total += count;
  return total;
}

static int compare(const void* a, const void* b) {
  uint64_t left = *(const uint64_t*)a, right = *(const uint64_t*)b;

  return (left > right) - (left < right);
}

int main(int argc, char** argv) {
  static int senders[MAX_FLOWS];
  static uint64_t payloads[BURST][PAYLOAD / sizeof(uint64_t)];
  struct mmsghdr messages[BURST] = {};
  struct iovec vectors[BURST];
  uint64_t *bursts, cpu = 0, sent = 0, received = 0, sequence, started;
  long packets, flows, rate, cpu_number;
  size_t burst_count, burst;
  struct sockaddr_in to;
  cpu_set_t cpus;
  int receiver;

  if (argc != 9) {
    fprintf(stderr,
            "Usage: udp_sender NETNS IP PEER_NETNS PEER_IP CPU PACKETS FLOWS PACKETS_PER_SECOND\n");
    return 2;
  }
  cpu_number = atol(argv[5]);
  packets = atol(argv[6]);
  flows = atol(argv[7]);
  rate = atol(argv[8]); /* 0: as many as go */
  if (packets < BURST || flows < 1 || flows > MAX_FLOWS || rate < 0) {
    fprintf(stderr, "udp_sender: at least %d packets, 1 to %d flows\n", BURST, MAX_FLOWS);
    return 2;
  }
  CPU_ZERO(&cpus);
  CPU_SET(cpu_number, &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus)) die("sched_setaffinity");

  to = address(argv[4], PORT);
  enter_netns(argv[3]);
  receiver = open_socket(to);
  enter_netns(argv[1]);
  for (long i = 0; i < flows; i++) {
    senders[i] = open_socket(address(argv[2], 0));
    if (connect(senders[i], (struct sockaddr*)&to, sizeof(to))) die("connect");
  }
  for (int i = 0; i < BURST; i++) {
    vectors[i] = (struct iovec){payloads[i], PAYLOAD};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }

  burst_count = packets / BURST;
  bursts = calloc(burst_count, sizeof(*bursts));
  if (!bursts) die("calloc");
  started = nanoseconds(CLOCK_MONOTONIC);
  sequence = started; /* no packet is like one of a run before */
  for (burst = 0; burst < burst_count; burst++) {
    uint64_t before, spent;
    int count;

    for (int i = 0; i < BURST; i++) payloads[i][0] = sequence++;
    before = nanoseconds(CLOCK_THREAD_CPUTIME_ID);
    count = sendmmsg(senders[burst % flows], messages, BURST, 0);
    spent = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - before;
    if (count < 0) die("sendmmsg");
    sent += count;
    cpu += spent;
    bursts[burst] = spent * 1000 / (count ? count : 1);
    received += drain(receiver);
    if (rate) {
      uint64_t due = started + sent * 1000000000ULL / rate;
      struct timespec until = {due / 1000000000ULL, due % 1000000000ULL};

      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    if (nanoseconds(CLOCK_MONOTONIC) - started > DEADLINE_SECONDS * 1000000000ULL) {
      fprintf(stderr, "udp_sender: given up after %d s\n", DEADLINE_SECONDS);
      return 1;
    }
  }
  usleep(2000); /* what a busy softirq has left over to its thread */
  received += drain(receiver);
  qsort(bursts, burst_count, sizeof(*bursts), compare);
  printf(
      "{\"sent\": %llu, \"received\": %llu, \"cpu_ns\": %llu, \"median_ns\": %.3f, \"wall_ns\": "
      "%llu}\n",
      (unsigned long long)sent, (unsigned long long)received, (unsigned long long)cpu,
      bursts[burst_count / 2] / 1000.0,
      (unsigned long long)(nanoseconds(CLOCK_MONOTONIC) - started));
  return 0;
}
