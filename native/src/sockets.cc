#include "sockets.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace herald {

namespace {

constexpr int kReceiveBuffer = 4 << 20;
constexpr int kSendBuffer = 4 << 20;
constexpr uint8_t kNeighborSolicitation = 135, kNeighborAdvertisement = 136;

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

struct LinkRequest {
  nlmsghdr header{};
  ifinfomsg link{};
  rtattr maskHeader{};
  uint32_t mask = 0;
  rtattr nameHeader{};
  char name[IFNAMSIZ] = {};

  LinkRequest(const std::string& interface, uint32_t sequence) {
    header.nlmsg_len = sizeof *this;
    header.nlmsg_type = RTM_GETLINK;
    header.nlmsg_flags = NLM_F_REQUEST;
    header.nlmsg_seq = sequence;
    maskHeader.rta_len = RTA_LENGTH(sizeof mask);
    maskHeader.rta_type = IFLA_EXT_MASK;
    mask = RTEXT_FILTER_SKIP_STATS;
    nameHeader.rta_len = RTA_LENGTH(sizeof name);
    nameHeader.rta_type = IFLA_IFNAME;
    interface.copy(name, IFNAMSIZ - 1);
  }
};

Link parseLink(nlmsghdr* message) {
  Link link;
  const auto* head = static_cast<const ifinfomsg*>(NLMSG_DATA(message));
  link.ifindex = head->ifi_index;
  link.adminUp = (head->ifi_flags & IFF_UP) != 0;
  link.up = link.adminUp && (head->ifi_flags & IFF_RUNNING) != 0;
  link.noArp = (head->ifi_flags & IFF_NOARP) != 0;
  size_t left = IFLA_PAYLOAD(message);
  bool named = false;
  for (rtattr* part = IFLA_RTA(head); RTA_OK(part, left); part = RTA_NEXT(part, left)) {
    const size_t size = RTA_PAYLOAD(part);
    if (part->rta_type == IFLA_ADDRESS && size == link.mac.size()) {
      std::memcpy(link.mac.data(), RTA_DATA(part), size);
      named = true;
    }
    if (part->rta_type == IFLA_MTU && size == sizeof link.mtu) std::memcpy(&link.mtu, RTA_DATA(part), size);
    if (part->rta_type == IFLA_MASTER && size == sizeof link.master) std::memcpy(&link.master, RTA_DATA(part), size);
  }
  link.ethernet = head->ifi_type == ARPHRD_ETHER && named;
  return link;
}

ipv6_mreq solicitedNode(uint32_t group, int ifindex) {
  ipv6_mreq request{};
  uint8_t* address = request.ipv6mr_multiaddr.s6_addr;
  address[0] = address[12] = 0xff;
  address[1] = 2;
  address[11] = 1;
  address[13] = static_cast<uint8_t>(group >> 16);
  address[14] = static_cast<uint8_t>(group >> 8);
  address[15] = static_cast<uint8_t>(group);
  request.ipv6mr_interface = static_cast<unsigned>(ifindex);
  return request;
}

packet_mreq allGroups(int ifindex) {
  packet_mreq request{};
  request.mr_ifindex = ifindex;
  request.mr_type = PACKET_MR_ALLMULTI;
  return request;
}

int addMembership(int socket, packet_mreq request) {
  return setsockopt(socket, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0 ? 0 : errno;
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

// Service traffic in IPv6 ends here. Whoever sends NDP puts no extension header before it; what has one is not seen.
Descriptor openNdpSocket() {
  const sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, packetType()),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PACKET_OTHERHOST, 6, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 6),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_ICMPV6, 0, 4),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, ETH_HLEN + 40),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNeighborSolicitation, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kNeighborAdvertisement, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return openFiltered(program, "open a packet socket for NDP");
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

Descriptor openLinkRequests() {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) throw refused("open a netlink socket");
  return Descriptor(fd);
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
  static std::atomic<uint32_t> sequence = 0;
  const LinkRequest request(interface, ++sequence);
  if (interface.size() >= IFNAMSIZ || send(socket, &request, sizeof request, 0) < 0) return Link{};
  alignas(nlmsghdr) uint8_t buffer[32768];
  for (;;) {
    const ssize_t size = recv(socket, buffer, sizeof buffer, 0);
    if (size < 0 && errno == EINTR) continue;
    auto* message = reinterpret_cast<nlmsghdr*>(buffer);
    if (size < 0 || !NLMSG_OK(message, static_cast<size_t>(size))) return Link{};
    if (message->nlmsg_seq != request.header.nlmsg_seq) continue;
    return message->nlmsg_type == RTM_NEWLINK ? parseLink(message) : Link{};
  }
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
  return addMembership(socket, request);
}

int joinAllGroups(int socket, int ifindex) { return addMembership(socket, allGroups(ifindex)); }

void leaveAllGroups(int socket, int ifindex) {
  const packet_mreq request = allGroups(ifindex);
  setsockopt(socket, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &request, sizeof request);
}

Descriptor openGroupSocket() { return Descriptor(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }

int joinSolicitedNodeGroup(int socket, uint32_t group, int ifindex) {
  const ipv6_mreq request = solicitedNode(group, ifindex);
  return setsockopt(socket, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof request) == 0 ? 0 : errno;
}

void leaveSolicitedNodeGroup(int socket, uint32_t group, int ifindex) {
  const ipv6_mreq request = solicitedNode(group, ifindex);
  setsockopt(socket, IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP, &request, sizeof request);
}

uint32_t takeOverruns(int socket) {
  tpacket_stats statistics{};
  socklen_t size = sizeof statistics;
  if (getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &statistics, &size) != 0) return 0;
  return statistics.tp_drops;
}

std::thread startThread(const char* name, std::function<void()> run) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::thread thread;
  try {
    thread = std::thread(std::move(run));
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw OpenError("NoPacketSocket", std::string("start a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread.native_handle(), name);
  return thread;
}

}  // namespace herald
