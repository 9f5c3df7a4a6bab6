/* The load of scripts/benchmark: small packets from one network namespace to another, and the CPU
 * time they cost. Prints one line of JSON. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "sender.h"

enum { DEADLINE_SECONDS = 120 }; /* a run never takes longer, in a slow guest neither */

void die(const char* what) {
  fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
  exit(1);
}

void enter_netns(const char* name) {
  char path[256];
  int fd;

  snprintf(path, sizeof(path), "/run/netns/%s", name);
  fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET)) die(path);
  close(fd);
}

struct sockaddr_in address(const char* ip, uint16_t port) {
  struct sockaddr_in result = {.sin_family = AF_INET, .sin_port = htons(port)};

  if (inet_pton(AF_INET, ip, &result.sin_addr) != 1) {
    errno = EINVAL;
    die(ip);
  }
  return result;
}

static uint64_t nanoseconds(clockid_t clock) {
  struct timespec now;

  if (clock_gettime(clock, &now)) die("clock_gettime");
  return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static int compare(const void* a, const void* b) {
  uint64_t left = *(const uint64_t*)a, right = *(const uint64_t*)b;

  return (left > right) - (left < right);
}

static const struct load* find_load(const char* name) {
  static const struct load* const loads[] = {&udp_load, &tcp_load, &ping_load};

  for (size_t i = 0; i < sizeof(loads) / sizeof(loads[0]); i++)
    if (!strcmp(loads[i]->name, name)) return loads[i];
  return NULL;
}

static void allow_sockets(long flows) {
  rlim_t wanted = flows + 16;
  struct rlimit limit;

  if (getrlimit(RLIMIT_NOFILE, &limit)) die("getrlimit");
  if (limit.rlim_cur >= wanted) return;
  limit = (struct rlimit){wanted, limit.rlim_max < wanted ? wanted : limit.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &limit)) die("setrlimit");
}

int main(int argc, char** argv) {
  const struct load* load = argc == 10 ? find_load(argv[1]) : NULL;
  uint64_t *bursts, cpu = 0, started;
  struct tally tally = {};
  long packets, rate;
  size_t burst_count;
  struct ends ends;
  cpu_set_t cpus;

  if (!load) {
    fprintf(stderr,
            "Usage: sender udp|tcp|ping NETNS IP PEER_NETNS PEER_IP CPU PACKETS FLOWS "
            "PACKETS_PER_SECOND\n");
    return 2;
  }
  ends = (struct ends){argv[2], argv[3], argv[4], argv[5], atol(argv[8])};
  packets = atol(argv[7]);
  rate = atol(argv[9]); /* 0: as many as go */
  if (packets < BURST || ends.flows < 1 || ends.flows > MAX_FLOWS || rate < 0) {
    fprintf(stderr, "sender: at least %d packets, 1 to %d flows\n", BURST, MAX_FLOWS);
    return 2;
  }
  CPU_ZERO(&cpus);
  CPU_SET(atol(argv[6]), &cpus);
  if (sched_setaffinity(0, sizeof(cpus), &cpus)) die("sched_setaffinity");
  allow_sockets(ends.flows);
  load->open(&ends);

  burst_count = packets / BURST;
  bursts = calloc(burst_count, sizeof(*bursts));
  if (!bursts) die("calloc");
  started = nanoseconds(CLOCK_MONOTONIC);
  for (size_t burst = 0; burst < burst_count; burst++) {
    uint64_t before = nanoseconds(CLOCK_THREAD_CPUTIME_ID), spent, count = tally.sent;

    load->burst(burst % ends.flows);
    spent = nanoseconds(CLOCK_THREAD_CPUTIME_ID) - before;
    load->settle(burst % ends.flows, &tally);
    count = tally.sent - count;
    cpu += spent;
    bursts[burst] = spent * 1000 / (count ? count : 1);
    if (rate) {
      uint64_t due = started + tally.sent * 1000000000ULL / rate;
      struct timespec until = {due / 1000000000ULL, due % 1000000000ULL};

      clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    }
    if (nanoseconds(CLOCK_MONOTONIC) - started > DEADLINE_SECONDS * 1000000000ULL) {
      fprintf(stderr, "sender: given up after %d s\n", DEADLINE_SECONDS);
      return 1;
    }
  }
  usleep(2000); /* what a busy softirq has left over to its thread */
  for (long flow = 0; flow < ends.flows; flow++) load->settle(flow, &tally);
  qsort(bursts, burst_count, sizeof(*bursts), compare);
  printf(
      "{\"sent\": %llu, \"received\": %llu, \"cpu_ns\": %llu, \"median_ns\": %.3f, \"wall_ns\": "
      "%llu}\n",
      (unsigned long long)tally.sent, (unsigned long long)tally.received, (unsigned long long)cpu,
      bursts[burst_count / 2] / 1000.0,
      (unsigned long long)(nanoseconds(CLOCK_MONOTONIC) - started));
  return 0;
}
