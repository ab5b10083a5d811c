/* watch INTERFACE INTERVAL_MS [ADDRESS...]: writes the ARP, NS, NA and hello frames that an interface sees, one
 * JSON object a line, until its input ends; and asks for the addresses each INTERVAL_MS, from a MAC that nobody has, so
 * that no neighbour table changes by being watched. The answers carry the number of the round that asked. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ETHERTYPE_HELLO 0x88b5
#define MAX_TARGETS 16384
#define ARP_LENGTH 42
#define ICMPV6_AT 54
#define NEIGHBOR_SOLICITATION 135
#define NEIGHBOR_ADVERTISEMENT 136
#define SOURCE_LINK_LAYER_ADDRESS 1
#define TARGET_LINK_LAYER_ADDRESS 2
#define NS_LENGTH (ICMPV6_AT + 32)

static const uint8_t asker_mac[6] = {0x02, 0x48, 0xff, 0xff, 0xff, 0xfe};
static const uint8_t asker_ip[4] = {192, 0, 2, 250};
static const uint8_t asker_ip6[16] = {0xfe, 0x80, [8] = 0x00, 0x48, 0xff, 0xff, 0xfe, 0xff, 0xff, 0xfe};
static long round_number = -1;

static const char *mac_text(const uint8_t *mac, char *out) {
  sprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return out;
}

static void print_arp(const uint8_t *frame, double at) {
  char mac[18], target_mac[18], sender[INET_ADDRSTRLEN], target[INET_ADDRSTRLEN];
  bool reply = frame[21] == 2, to_asker = memcmp(frame + 32, asker_mac, 6) == 0;
  inet_ntop(AF_INET, frame + 28, sender, sizeof sender);
  inet_ntop(AF_INET, frame + 38, target, sizeof target);
  printf("{\"at\":%.3f,\"kind\":\"arp\",\"op\":\"%s\",\"mac\":\"%s\",\"ip\":\"%s\",\"targetMac\":\"%s\",\"targetIp\":\"%s\"", at,
         reply ? "reply" : "request", mac_text(frame + 22, mac), sender, mac_text(frame + 32, target_mac), target);
  if (reply && to_asker) printf(",\"round\":%ld", round_number);
  printf("}\n");
}

static void print_ndp(const uint8_t *frame, ssize_t length, double at) {
  char mac[18], source[INET6_ADDRSTRLEN], target[INET6_ADDRSTRLEN];
  uint8_t flags = frame[ICMPV6_AT + 4];
  bool advertisement = frame[ICMPV6_AT] == NEIGHBOR_ADVERTISEMENT;
  // What a neighbour table takes is the option, whoever sent the frame.
  const uint8_t *option = frame + ICMPV6_AT + 24;
  bool named = advertisement && length >= ICMPV6_AT + 32 && option[0] == TARGET_LINK_LAYER_ADDRESS && option[1] == 1;
  inet_ntop(AF_INET6, frame + 22, source, sizeof source);
  inet_ntop(AF_INET6, frame + ICMPV6_AT + 8, target, sizeof target);
  printf("{\"at\":%.3f,\"kind\":\"ndp\",\"op\":\"%s\",\"mac\":\"%s\",\"ip\":\"%s\",\"source\":\"%s\",\"solicited\":%s,\"override\":%s", at,
         advertisement ? "advertisement" : "solicitation", mac_text(named ? option + 2 : frame + 6, mac), target, source,
         flags & 0x40 ? "true" : "false", flags & 0x20 ? "true" : "false");
  if (advertisement && memcmp(frame, asker_mac, 6) == 0) printf(",\"round\":%ld", round_number);
  printf("}\n");
}

static void print_frame(const uint8_t *frame, ssize_t length, double at) {
  char mac[18];
  unsigned type = length < 14 ? 0 : frame[12] << 8 | frame[13];
  if (type == ETHERTYPE_ARP && length >= ARP_LENGTH && memcmp(frame + 6, asker_mac, 6) != 0) {
    print_arp(frame, at);
  } else if (type == ETHERTYPE_IPV6 && memcmp(frame + 6, asker_mac, 6) != 0 && length >= ICMPV6_AT + 24 && frame[20] == IPPROTO_ICMPV6 &&
             (frame[ICMPV6_AT] == NEIGHBOR_SOLICITATION || frame[ICMPV6_AT] == NEIGHBOR_ADVERTISEMENT)) {
    print_ndp(frame, length, at);
  } else if (type == ETHERTYPE_HELLO) {
    printf("{\"at\":%.3f,\"kind\":\"hello\",\"mac\":\"%s\",\"bytes\":%zd}\n", at, mac_text(frame + 6, mac), length);
  }
}

static void receive(int fd) {
  uint8_t frame[2048];
  char control[256];
  for (;;) {
    struct iovec part = {.iov_base = frame, .iov_len = sizeof frame};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT);
    if (got < 0) {
      if (errno == ENETDOWN) continue;
      return;
    }
    double at = realtime_us() / 1e3;
    for (struct cmsghdr *one = CMSG_FIRSTHDR(&message); one != NULL; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level != SOL_SOCKET || one->cmsg_type != SCM_TIMESTAMPNS) continue;
      struct timespec when;
      memcpy(&when, CMSG_DATA(one), sizeof when);
      at = when.tv_sec * 1e3 + when.tv_nsec / 1e6;
    }
    print_frame(frame, got, at);
  }
}

/* Of the ICMPv6 message in a frame, with its pseudo-header (RFC 8200 section 8.1). */
static uint16_t checksum(const uint8_t *frame, int length) {
  uint32_t sum = (uint32_t)length + IPPROTO_ICMPV6;
  for (int i = 22; i < ICMPV6_AT + length; i += 2) sum += (uint32_t)(frame[i] << 8 | frame[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void ask6(int fd, const struct in6_addr *target) {
  uint8_t frame[NS_LENGTH] = {0x33, 0x33, 0xff, [12] = 0x86, 0xdd, 0x60, [19] = 32, IPPROTO_ICMPV6, 255};
  static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 0x01, 0xff};
  memcpy(frame + 3, target->s6_addr + 13, 3);
  memcpy(frame + 6, asker_mac, 6);
  memcpy(frame + 22, asker_ip6, 16);
  memcpy(frame + 38, solicited_node, 13);
  memcpy(frame + 51, target->s6_addr + 13, 3);
  frame[ICMPV6_AT] = NEIGHBOR_SOLICITATION;
  memcpy(frame + ICMPV6_AT + 8, target, 16);
  frame[ICMPV6_AT + 24] = SOURCE_LINK_LAYER_ADDRESS;
  frame[ICMPV6_AT + 25] = 1;
  memcpy(frame + ICMPV6_AT + 26, asker_mac, 6);
  uint16_t sum = checksum(frame, NS_LENGTH - ICMPV6_AT);
  frame[ICMPV6_AT + 2] = (uint8_t)(sum >> 8);
  frame[ICMPV6_AT + 3] = (uint8_t)sum;
  send(fd, frame, sizeof frame, 0);
}

static void ask(int fd, const struct in_addr *target) {
  uint8_t frame[ARP_LENGTH] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [12] = 0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1};
  memcpy(frame + 6, asker_mac, 6);
  memcpy(frame + 22, asker_mac, 6);
  memcpy(frame + 28, asker_ip, 4);
  memcpy(frame + 38, target, 4);
  send(fd, frame, sizeof frame, 0);
}

static int open_socket(const char *interface) {
  struct sockaddr_ll where = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(interface)};
  if (where.sll_ifindex == 0) fail("there is no interface %s", interface);
  struct packet_mreq promiscuous = {.mr_ifindex = where.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1, size = 8 << 20;
  if (fd < 0) fail("packet socket: %s", strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
  setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
  if (bind(fd, (struct sockaddr *)&where, sizeof where) != 0) fail("bind to %s: %s", interface, strerror(errno));
  return fd;
}

int watch_main(int argc, char **argv) {
  if (argc < 3 || argc - 3 > MAX_TARGETS) fail("usage: lab-tool watch INTERFACE INTERVAL_MS [ADDRESS...]");
  int64_t interval = parse_number("interval", argv[2], 1) * 1000;
  struct in_addr targets[MAX_TARGETS];
  struct in6_addr targets6[MAX_TARGETS];
  int count = argc - 3, count4 = 0, count6 = 0;
  for (int i = 0; i < count; i++) {
    if (inet_pton(AF_INET, argv[i + 3], &targets[count4]) == 1) count4++;
    else if (inet_pton(AF_INET6, argv[i + 3], &targets6[count6]) == 1) count6++;
    else fail("%s is no IP address", argv[i + 3]);
  }
  int fd = open_socket(argv[1]);
  schedule_realtime();
  printf("started\n");
  int64_t due = monotonic_us();
  for (;;) {
    fflush(stdout);
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    struct timespec wait = until(count == 0 ? monotonic_us() + 1000000 : due);
    ppoll(polls, 2, &wait, NULL);
    receive(fd);
    if (polls[1].revents != 0 && input_ended()) break;
    if (count == 0 || monotonic_us() < due) continue;
    round_number++;
    for (int i = 0; i < count4; i++) ask(fd, &targets[i]);
    for (int i = 0; i < count6; i++) ask6(fd, &targets6[i]);
    due += interval;
    if (monotonic_us() > due) due = monotonic_us() + interval;
  }
  return 0;
}
