// Asks and listens on an interface, for tests and benchmarks; it shares no code with what it checks.
//
//   prober INTERFACE wire
//     Says "ready"; sends each line of stdin, an Ethernet frame in hex, and prints each ARP or 0x88b5 frame it receives
//     so, whoever it is for. Ends with stdin.
//   prober INTERFACE ask SENDER_IP FIRST_IP IPS COUNT RATE WINDOW
//     Asks COUNT times by broadcast who has FIRST_IP, the next, ... of IPS in rotation: at most RATE times a second, and
//     only while fewer than WINDOW requests are unanswered; a request is lost after a second, or when its IP is asked again.
//     Prints {"sent", "answered", "latenciesUs"}: from before the send to the arrival at the interface, in the order of
//     the answers. The kernel notes the arrival, so that what this process itself waits for a CPU does not count.
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

[[noreturn]] void fail(const char* doing) {
  std::perror(doing);
  std::exit(1);
}

int64_t toNs(const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; }

// On the clock that the kernel stamps frames with.
int64_t nowNs() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return toNs(now);
}

int openInterface(const char* name, uint16_t protocol) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("open a packet socket");
  const int on = 1, size = 32 << 20;
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = static_cast<int>(if_nametoindex(name));
  if (address.sll_ifindex == 0) fail(name);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  return fd;
}

void sendLine(int fd, const char* hex) {
  uint8_t frame[4096];
  size_t size = 0;
  unsigned byte;
  for (; size < sizeof frame && std::sscanf(hex + 2 * size, "%2x", &byte) == 1; ++size) {
    frame[size] = static_cast<uint8_t>(byte);
  }
  // A frame that the kernel refuses (shorter than a header, longer than the MTU) is the test's business.
  if (send(fd, frame, size, 0) < 0) std::perror("send");
}

void printFrame(int fd) {
  uint8_t frame[4096];
  const ssize_t size = recv(fd, frame, sizeof frame, 0);
  if (size < ETH_HLEN) return;
  const int type = frame[12] << 8 | frame[13];
  if (type != ETH_P_ARP && type != 0x88b5) return;
  for (ssize_t i = 0; i < size; ++i) std::printf("%02x", frame[i]);
  std::puts("");
}

int wire(const char* interface) {
  const int fd = openInterface(interface, ETH_P_ALL);
  std::puts("ready");
  std::string lines;
  pollfd polled[] = {{fd, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
  while (poll(polled, 2, -1) > 0) {
    if (polled[0].revents != 0) printFrame(fd);
    if (polled[1].revents == 0) continue;
    char text[65536];
    const ssize_t size = read(STDIN_FILENO, text, sizeof text);
    if (size <= 0) return 0;
    lines.append(text, static_cast<size_t>(size));
    for (size_t end; (end = lines.find('\n')) != std::string::npos; lines.erase(0, end + 1)) {
      sendLine(fd, lines.substr(0, end).c_str());
    }
  }
  return 1;
}

struct Request {
  uint8_t frame[ETH_HLEN + 28] = {};

  Request(int fd, const char* interface, uint32_t senderIP) {
    ifreq hardware{};
    std::strncpy(hardware.ifr_name, interface, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &hardware) != 0) fail("read the interface's MAC");
    static constexpr uint8_t kFixed[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
    std::memset(frame, 0xff, 6);
    std::memcpy(frame + 6, hardware.ifr_hwaddr.sa_data, 6);
    std::memcpy(frame + 12, kFixed, sizeof kFixed);
    std::memcpy(frame + 22, hardware.ifr_hwaddr.sa_data, 6);
    const uint32_t sender = htonl(senderIP);
    std::memcpy(frame + 28, &sender, 4);
  }
  void target(uint32_t ip) {
    const uint32_t target = htonl(ip);
    std::memcpy(frame + 38, &target, 4);
  }
};

struct Reply {
  uint32_t senderIP = 0;  // 0: there was none
  int64_t arrivedAt = 0;
};

Reply receiveReply(int fd) {
  uint8_t frame[128];
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(timespec))];
  iovec vector = {frame, sizeof frame};
  msghdr message{};
  message.msg_iov = &vector;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  Reply reply;
  if (recvmsg(fd, &message, MSG_DONTWAIT) < ETH_HLEN + 28 || frame[21] != 2) return reply;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
    timespec stamp;
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    reply.arrivedAt = toNs(stamp);
  }
  std::memcpy(&reply.senderIP, frame + 28, 4);
  reply.senderIP = ntohl(reply.senderIP);
  return reply;
}

struct Ask {
  uint32_t senderIP, firstIP, ips;
  int64_t count, rate, window;
};

int ask(const char* interface, const Ask& how) {
  static constexpr int64_t kLostAfterNs = 1'000'000'000;
  const int fd = openInterface(interface, ETH_P_ARP);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  Request request(fd, interface, how.senderIP);
  std::vector<int64_t> askedAt(how.ips, 0);
  std::vector<double> latencies;
  int64_t sent = 0, waiting = 0, lastAt = 0;
  const int64_t gapNs = 1'000'000'000 / how.rate, startAt = nowNs();
  while (sent < how.count || waiting > 0) {
    int64_t now = nowNs();
    if (waiting > 0 && now - lastAt > kLostAfterNs) {
      std::fill(askedAt.begin(), askedAt.end(), 0);
      waiting = 0;
      continue;
    }
    const int64_t dueAt = startAt + sent * gapNs;
    if (sent < how.count && now >= dueAt && waiting < how.window) {
      const uint32_t index = static_cast<uint32_t>(sent % how.ips);
      request.target(how.firstIP + index);
      if (askedAt[index] == 0) ++waiting;
      ++sent;
      askedAt[index] = lastAt = nowNs();
      if (send(fd, request.frame, sizeof request.frame, 0) < 0) fail("send");
    } else {
      const int64_t wait = sent < how.count && waiting < how.window ? dueAt - now : kLostAfterNs;
      const timespec timeout = {wait / 1'000'000'000, wait % 1'000'000'000};
      pollfd polled = {fd, POLLIN, 0};
      ppoll(&polled, 1, &timeout, nullptr);
    }
    const Reply reply = receiveReply(fd);
    const uint32_t index = reply.senderIP - how.firstIP;
    if (index >= how.ips || askedAt[index] == 0) continue;
    latencies.push_back(static_cast<double>(reply.arrivedAt - askedAt[index]) / 1000);
    askedAt[index] = 0;
    --waiting;
  }
  std::printf("{\"sent\":%lld,\"answered\":%zu,\"latenciesUs\":[", static_cast<long long>(sent), latencies.size());
  for (size_t i = 0; i < latencies.size(); ++i) std::printf("%s%.1f", i == 0 ? "" : ",", latencies[i]);
  std::puts("]}");
  return 0;
}

uint32_t parseIP(const char* text) {
  in_addr ip{};
  if (inet_pton(AF_INET, text, &ip) != 1) fail(text);
  return ntohl(ip.s_addr);
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_TIMERSLACK, 1);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 3 && std::strcmp(argv[2], "wire") == 0) return wire(argv[1]);
  if (argc == 9 && std::strcmp(argv[2], "ask") == 0) {
    const Ask how = {parseIP(argv[3]), parseIP(argv[4]),  static_cast<uint32_t>(std::atoll(argv[5])),
                     std::atoll(argv[6]), std::atoll(argv[7]), std::atoll(argv[8])};
    if (how.ips > 0 && how.count > 0 && how.rate > 0 && how.window > 0) return ask(argv[1], how);
  }
  std::fputs("use: prober INTERFACE wire | ask SENDER_IP FIRST_IP IPS COUNT RATE WINDOW\n", stderr);
  return 2;
}
