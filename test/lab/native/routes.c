/* routes: writes the routes that BGP daemons have put into this namespace's main table, and each change of them, one JSON
 * object a line, until its input ends: {"at":MS,"prefix":"192.0.2.1/32","via":["192.0.2.11"]}; no "via" where a route is
 * gone. What is there at first comes before "started". */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void print_next_hop(int family, const void *address, bool first) {
  char text[INET6_ADDRSTRLEN];
  inet_ntop(family, address, text, sizeof text);
  printf("%s\"%s\"", first ? "" : ",", text);
}

static const struct rtattr *find(const struct rtattr *at, int length, unsigned short type) {
  for (; RTA_OK(at, length); at = RTA_NEXT(at, length))
    if (at->rta_type == type) return at;
  return NULL;
}

/* RTA_GATEWAY, or RTA_VIA for an IPv4 route by an IPv6 next hop. */
static bool print_gateway(int family, const struct rtattr *attributes, int length, bool first) {
  const struct rtattr *gateway = find(attributes, length, RTA_GATEWAY), *via = find(attributes, length, RTA_VIA);
  if (gateway != NULL) print_next_hop(family, RTA_DATA(gateway), first);
  else if (via != NULL) print_next_hop(((struct rtvia *)RTA_DATA(via))->rtvia_family, ((struct rtvia *)RTA_DATA(via))->rtvia_addr, first);
  return gateway != NULL || via != NULL;
}

static void print_route(const struct nlmsghdr *message, double at) {
  const struct rtmsg *route = NLMSG_DATA(message);
  bool by_bgp = route->rtm_protocol == RTPROT_BGP || route->rtm_protocol == RTPROT_BIRD;
  if (!by_bgp || route->rtm_table != RT_TABLE_MAIN || route->rtm_type != RTN_UNICAST) return;
  const struct rtattr *attributes = RTM_RTA(route), *part;
  int length = (int)RTM_PAYLOAD(message);
  static const uint8_t any[16];
  char prefix[INET6_ADDRSTRLEN];
  part = find(attributes, length, RTA_DST);
  inet_ntop(route->rtm_family, part == NULL ? any : RTA_DATA(part), prefix, sizeof prefix);
  printf("{\"at\":%.3f,\"prefix\":\"%s/%d\"", at, prefix, route->rtm_dst_len);
  if (message->nlmsg_type == RTM_NEWROUTE) {
    printf(",\"via\":[");
    bool first = !print_gateway(route->rtm_family, attributes, length, true);
    part = find(attributes, length, RTA_MULTIPATH);
    if (part != NULL) {
      const struct rtnexthop *hop = RTA_DATA(part);
      for (int left = (int)RTA_PAYLOAD(part); RTNH_OK(hop, left); left -= NLMSG_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
        if (print_gateway(route->rtm_family, RTNH_DATA(hop), hop->rtnh_len - (int)sizeof *hop, first)) first = false;
    }
    printf("]");
  }
  printf("}\n");
}

/* Prints what has come; false at the end of a dump. */
static bool receive(int fd, int flags) {
  static uint8_t buffer[1 << 16] __attribute__((aligned(NLMSG_ALIGNTO)));
  ssize_t got = recv(fd, buffer, sizeof buffer, flags);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (got < 0) fail("netlink: %s", strerror(errno));
  double at = realtime_us() / 1e3;
  int left = (int)got;
  for (const struct nlmsghdr *one = (const struct nlmsghdr *)buffer; NLMSG_OK(one, left); one = NLMSG_NEXT(one, left)) {
    if (one->nlmsg_type == NLMSG_DONE) return false;
    if (one->nlmsg_type == NLMSG_ERROR) fail("netlink refuses the dump");
    if (one->nlmsg_type == RTM_NEWROUTE || one->nlmsg_type == RTM_DELROUTE) print_route(one, at);
  }
  return true;
}

static void dump(int fd, unsigned char family) {
  struct {
    struct nlmsghdr header;
    struct rtmsg route;
  } request = {.header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
               .route = {.rtm_family = family}};
  if (send(fd, &request, sizeof request, 0) < 0) fail("netlink: %s", strerror(errno));
  while (receive(fd, 0)) continue;
}

int routes_main(int argc, char **argv) {
  (void)argv;
  if (argc != 1) fail("usage: lab-tool routes");
  struct sockaddr_nl groups = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 64 << 20;
  if (fd < 0) fail("netlink socket: %s", strerror(errno));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  if (bind(fd, (struct sockaddr *)&groups, sizeof groups) != 0) fail("netlink: %s", strerror(errno));
  dump(fd, AF_INET);
  dump(fd, AF_INET6);
  schedule_realtime();
  printf("started\n");
  for (;;) {
    fflush(stdout);
    struct pollfd polls[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    poll(polls, 2, -1);
    if (polls[0].revents != 0) receive(fd, MSG_DONTWAIT);
    if (polls[1].revents != 0 && input_ended()) break;
  }
  return 0;
}
