// Asks and listens on an interface, for tests and benchmarks; it shares no code with what it checks.
//
//   prober INTERFACE wire
//     Says "ready"; sends each line of stdin, an Ethernet frame in hex, and prints each ARP, NDP (solicitation,
//     advertisement) or 0x88b5 frame it receives so, whoever it is for. Ends with stdin.
//   prober INTERFACE ask SENDER_IP FIRST_IP IPS COUNT RATE WINDOW
//     Asks COUNT times who has FIRST_IP, the next, ... of IPS in rotation, by ARP to all or by NDP to the IP's group, as
//     the family of the two IPs has it: at most RATE times a second, and only while fewer than WINDOW requests are
//     unanswered; a request is lost after a second, or when its IP is asked again.
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

bool isNdp(const uint8_t* frame, ssize_t size) {
  if (size <= 54 || frame[12] != 0x86 || frame[13] != 0xdd || frame[20] != 58) return false;
  return frame[54] == 135 || frame[54] == 136;
}

void printFrame(int fd) {
  uint8_t frame[4096];
  const ssize_t size = recv(fd, frame, sizeof frame, 0);
  if (size < ETH_HLEN) return;
  const int type = frame[12] << 8 | frame[13];
  if (type != ETH_P_ARP && type != 0x88b5 && !isNdp(frame, size)) return;
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

struct IP {
  int family;
  uint8_t bytes[16] = {};

  explicit IP(const char* text) : family(std::strchr(text, ':') != nullptr ? AF_INET6 : AF_INET) {
    if (inet_pton(family, text, bytes) != 1) fail(text);
  }
  size_t size() const { return family == AF_INET6 ? 16 : 4; }
  // The last 32 bits number the IPs of a run.
  uint32_t number() const { return read32(bytes + size() - 4); }
  static uint32_t read32(const uint8_t* at) {
    uint32_t value;
    std::memcpy(&value, at, 4);
    return ntohl(value);
  }
};

struct Request {
  uint8_t frame[86] = {};
  size_t size;

  Request(int fd, const char* interface, const IP& sender, const IP& first) {
    ifreq hardware{};
    std::strncpy(hardware.ifr_name, interface, IFNAMSIZ - 1);
    if (ioctl(fd, SIOCGIFHWADDR, &hardware) != 0) fail("read the interface's MAC");
    const char* mac = hardware.ifr_hwaddr.sa_data;
    std::memcpy(frame + 6, mac, 6);
    if (sender.family == AF_INET) {
      static constexpr uint8_t kFixed[] = {0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1};
      size = 42;
      std::memset(frame, 0xff, 6);
      std::memcpy(frame + 12, kFixed, sizeof kFixed);
      std::memcpy(frame + 22, mac, 6);
      std::memcpy(frame + 28, sender.bytes, 4);
    } else {
      static constexpr uint8_t kFixed[] = {0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255};
      static constexpr uint8_t kGroup[] = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
      size = 86;
      frame[0] = frame[1] = 0x33;
      frame[2] = 0xff;
      std::memcpy(frame + 12, kFixed, sizeof kFixed);
      std::memcpy(frame + 22, sender.bytes, 16);
      std::memcpy(frame + 38, kGroup, sizeof kGroup);
      frame[54] = 135;
      std::memcpy(frame + 62, first.bytes, 16);
      frame[78] = frame[79] = 1;
      std::memcpy(frame + 80, mac, 6);
    }
  }
  void target(uint32_t number) {
    const uint32_t bytes = htonl(number);
    if (size == 42) {
      std::memcpy(frame + 38, &bytes, 4);
      return;
    }
    std::memcpy(frame + 74, &bytes, 4);
    std::memcpy(frame + 3, frame + 75, 3);
    std::memcpy(frame + 51, frame + 75, 3);
    frame[56] = frame[57] = 0;
    uint32_t sum = 32 + 58;
    for (size_t at = 22; at < size; at += 2) sum += static_cast<uint32_t>(frame[at] << 8 | frame[at + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    sum += sum >> 16;
    frame[56] = static_cast<uint8_t>(~sum >> 8);
    frame[57] = static_cast<uint8_t>(~sum);
  }
};

struct Reply {
  bool found = false;
  uint32_t number = 0;
  int64_t arrivedAt = 0;
};

// Gives the first answer among the frames that wait.
Reply receiveReply(int fd) {
  for (;;) {
    uint8_t frame[128];
    alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(timespec))];
    iovec vector = {frame, sizeof frame};
    msghdr message{};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    Reply reply;
    const ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT);
    if (size < 0) return reply;
    const bool arp = size >= 42 && frame[12] == 0x08 && frame[21] == 2;
    const bool ndp = size >= 86 && frame[12] == 0x86 && frame[20] == 58 && frame[54] == 136;
    if (!arp && !ndp) continue;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
      timespec stamp;
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
      std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
      reply.arrivedAt = toNs(stamp);
    }
    reply.number = IP::read32(frame + (arp ? 28 : 74));
    reply.found = true;
    return reply;
  }
}

struct Ask {
  IP senderIP, firstIP;
  uint32_t ips;
  int64_t count, rate, window;
};

int ask(const char* interface, const Ask& how) {
  static constexpr int64_t kLostAfterNs = 1'000'000'000;
  const bool arp = how.senderIP.family == AF_INET;
  const int fd = openInterface(interface, arp ? ETH_P_ARP : ETH_P_IPV6);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  Request request(fd, interface, how.senderIP, how.firstIP);
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
      request.target(how.firstIP.number() + index);
      if (askedAt[index] == 0) ++waiting;
      ++sent;
      askedAt[index] = lastAt = nowNs();
      if (send(fd, request.frame, request.size, 0) < 0) fail("send");
    } else {
      const int64_t wait = sent < how.count && waiting < how.window ? dueAt - now : kLostAfterNs;
      const timespec timeout = {wait / 1'000'000'000, wait % 1'000'000'000};
      pollfd polled = {fd, POLLIN, 0};
      ppoll(&polled, 1, &timeout, nullptr);
    }
    const Reply reply = receiveReply(fd);
    const uint32_t index = reply.number - how.firstIP.number();
    if (!reply.found || index >= how.ips || askedAt[index] == 0) continue;
    latencies.push_back(static_cast<double>(reply.arrivedAt - askedAt[index]) / 1000);
    askedAt[index] = 0;
    --waiting;
  }
  std::printf("{\"sent\":%lld,\"answered\":%zu,\"latenciesUs\":[", static_cast<long long>(sent), latencies.size());
  for (size_t i = 0; i < latencies.size(); ++i) std::printf("%s%.1f", i == 0 ? "" : ",", latencies[i]);
  std::puts("]}");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_TIMERSLACK, 1);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 3 && std::strcmp(argv[2], "wire") == 0) return wire(argv[1]);
  if (argc == 9 && std::strcmp(argv[2], "ask") == 0) {
    const Ask how = {IP(argv[3]),          IP(argv[4]),          static_cast<uint32_t>(std::atoll(argv[5])),
                     std::atoll(argv[6]), std::atoll(argv[7]), std::atoll(argv[8])};
    const bool oneFamily = how.senderIP.family == how.firstIP.family;
    if (oneFamily && how.ips > 0 && how.count > 0 && how.rate > 0 && how.window > 0) return ask(argv[1], how);
  }
  std::fputs("use: prober INTERFACE wire | ask SENDER_IP FIRST_IP IPS COUNT RATE WINDOW\n", stderr);
  return 2;
}
