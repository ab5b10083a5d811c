/* advertise INTERFACE: sends a router advertisement (RFC 4861 section 4.2) on an interface each second until its input ends.
 * FRR finds an unnumbered neighbour by it. It is nobody's default router. */
#define _GNU_SOURCE
#include "lab-tool.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int advertise_main(int argc, char **argv) {
  if (argc != 2 || strlen(argv[1]) >= IFNAMSIZ) fail("usage: lab-tool advertise INTERFACE");
  int fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6), hops = 255;
  if (fd < 0) fail("ICMPv6 socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  struct ifreq request = {0};
  strcpy(request.ifr_name, argv[1]);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) fail("%s: %s", argv[1], strerror(errno));
  struct {
    struct nd_router_advert header;
    struct nd_opt_hdr option;
    uint8_t mac[6];
  } __attribute__((packed)) message = {
      .header.nd_ra_hdr.icmp6_type = ND_ROUTER_ADVERT,
      .option = {.nd_opt_type = ND_OPT_SOURCE_LINKADDR, .nd_opt_len = 1},
  };
  memcpy(message.mac, request.ifr_hwaddr.sa_data, sizeof message.mac);
  struct sockaddr_in6 everybody = {.sin6_family = AF_INET6, .sin6_scope_id = if_nametoindex(argv[1])};
  memcpy(&everybody.sin6_addr, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
  printf("started\n");
  fflush(stdout);
  struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
  do {
    if (sendto(fd, &message, sizeof message, 0, (struct sockaddr *)&everybody, sizeof everybody) < 0 && errno != EADDRNOTAVAIL)
      fail("%s: %s", argv[1], strerror(errno));
  } while (poll(&input, 1, 1000) == 0 || !input_ended());
  return 0;
}
