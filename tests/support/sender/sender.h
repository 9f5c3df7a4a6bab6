/* What the loads of scripts/benchmark share: a thread sends bursts, and its own softirq carries
 * each packet over all devices up to the receiving socket. */
#ifndef SENDER_H
#define SENDER_H

#include <netinet/in.h>
#include <stdint.h>

enum {
  BURST = 32,   /* packets */
  PAYLOAD = 64, /* bytes */
  MAX_FLOWS = 10240,
  PORT = 9,
};

struct ends {
  const char *netns, *ip, *peer_netns, *peer_ip;
  long flows;
};

struct tally {
  uint64_t sent, received; /* packets, of both directions */
};

struct load {
  const char* name;
  void (*open)(const struct ends*);
  void (*burst)(long flow); /* on the clock */
  void (*settle)(long flow,
                 struct tally*); /* off the clock: empties sockets, adds the burst's packets */
};

extern const struct load udp_load, tcp_load, ping_load;

void die(const char* what);
void enter_netns(const char* name);
struct sockaddr_in address(const char* ip, uint16_t port);

#endif
