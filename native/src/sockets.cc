#include "sockets.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <iterator>

namespace herald {

namespace {

constexpr int kReceiveBuffer = 4 << 20;
constexpr int kSendBuffer = 4 << 20;

OpenError refused(const char* doing) {
  return OpenError("NoPacketSocket", std::string(doing) + ": " + std::strerror(errno));
}

Descriptor openSocket(int family, int type, int protocol, const char* doing) {
  const int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
  if (fd < 0) throw refused(doing);
  return Descriptor(fd);
}

// The forced size needs CAP_NET_ADMIN; without it net.core.{r,w}mem_max bounds the buffer.
void setBuffer(int fd, int force, int polite, int size) {
  if (setsockopt(fd, SOL_SOCKET, force, &size, sizeof size) != 0) {
    setsockopt(fd, SOL_SOCKET, polite, &size, sizeof size);
  }
}

// Protocol 0 and the filter first: no frame slips in between socket() and bind().
template <size_t N>
Descriptor openFiltered(const sock_filter (&program)[N], const char* doing) {
  Descriptor fd = openSocket(AF_PACKET, SOCK_RAW, 0, doing);
  const sock_fprog filter = {N, const_cast<sock_filter*>(program)};
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) throw refused(doing);
  const int on = 1;
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  setBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, kReceiveBuffer);
  return fd;
}

uint32_t packetType() { return static_cast<uint32_t>(SKF_AD_OFF + SKF_AD_PKTTYPE); }

uint32_t groupHead() {
  return uint32_t{kHelloGroup[0]} << 24 | uint32_t{kHelloGroup[1]} << 16 | uint32_t{kHelloGroup[2]} << 8 |
         kHelloGroup[3];
}

uint32_t groupTail() { return uint32_t{kHelloGroup[4]} << 8 | kHelloGroup[5]; }

ifreq requestFor(const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  return request;
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

// The bind keeps other EtherTypes out. The filter drops what the host would not take itself: frames for other
// hosts (promiscuous mode, and tags of a VLAN without an interface), and our own. What is malformed passes, to be counted.
Descriptor openArpSocket() {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, packetType()),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PACKET_OTHERHOST, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return openFiltered(program, "open a packet socket for ARP");
}

// EtherType 0x88b5 is for local experiments (IEEE 802): others may use it, so only our group or our MAC passes.
Descriptor openHelloSocket() {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, packetType()),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_HOST, 5, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_MULTICAST, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, groupHead(), 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, groupTail(), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return openFiltered(program, "open a packet socket for hellos");
}

Descriptor openSendSocket() {
  Descriptor fd = openSocket(AF_PACKET, SOCK_RAW, 0, "open a packet socket for sending");
  setBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, kSendBuffer);
  return fd;
}

Descriptor openLinkSocket() {
  Descriptor fd = openSocket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, "open a netlink socket");
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK;
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) throw refused("listen for link changes");
  return fd;
}

Descriptor openWakeup() {
  const int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) throw refused("make an eventfd");
  return Descriptor(fd);
}

Descriptor openEvents(std::initializer_list<int> sockets) {
  const int fd = epoll_create1(EPOLL_CLOEXEC);
  if (fd < 0) throw refused("make an epoll");
  Descriptor events(fd);
  for (const int socket : sockets) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = socket;
    if (epoll_ctl(fd, EPOLL_CTL_ADD, socket, &event) != 0) throw refused("add to an epoll");
  }
  return events;
}

Link readLink(int socket, const std::string& interface) {
  Link link;
  ifreq index = requestFor(interface), flags = index, hardware = index;
  if (ioctl(socket, SIOCGIFINDEX, &index) != 0 || ioctl(socket, SIOCGIFFLAGS, &flags) != 0 ||
      ioctl(socket, SIOCGIFHWADDR, &hardware) != 0) {
    return link;
  }
  link.ifindex = index.ifr_ifindex;
  link.up = (flags.ifr_flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);
  link.ethernet = hardware.ifr_hwaddr.sa_family == ARPHRD_ETHER;
  std::memcpy(link.mac.data(), hardware.ifr_hwaddr.sa_data, link.mac.size());
  return link;
}

int boundTo(int socket) {
  sockaddr_ll address{};
  socklen_t size = sizeof address;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return address.sll_ifindex;
}

int bindTo(int socket, uint16_t etherType, int ifindex) {
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(etherType);
  address.sll_ifindex = ifindex;
  return bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? 0 : errno;
}

int joinGroup(int socket, const Mac& group, int ifindex) {
  packet_mreq request{};
  request.mr_ifindex = ifindex;
  request.mr_type = PACKET_MR_MULTICAST;
  request.mr_alen = static_cast<unsigned short>(group.size());
  std::memcpy(request.mr_address, group.data(), group.size());
  return setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0 ? 0 : errno;
}

uint32_t takeOverruns(int socket) {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.tp_drops;
}

}  // namespace herald
