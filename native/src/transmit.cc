#include "transmit.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace herald {

namespace {

constexpr size_t kBatch = 64;

struct Batch {
  std::array<mmsghdr, kBatch> messages;
  std::array<sockaddr_ll, kBatch> addresses;
  unsigned size = 0;

  void add(const iovec& frame, int ifindex) {
    sockaddr_ll& to = addresses[size] = {};
    to.sll_family = AF_PACKET;
    to.sll_ifindex = ifindex;
    std::memcpy(&to.sll_protocol, static_cast<const char*>(frame.iov_base) + 12, 2);
    msghdr& header = (messages[size++] = {}).msg_hdr;
    header.msg_name = &to;
    header.msg_namelen = sizeof to;
    header.msg_iov = const_cast<iovec*>(&frame);
    header.msg_iovlen = 1;
  }
};

// The kernel tells of room in the socket's own buffer, but not in the interface's queue: there, just wait.
void waitForRoom(int socket, int error) {
  if (error == ENOBUFS) {
    usleep(1000);
    return;
  }
  pollfd room = {socket, POLLOUT, 0};
  poll(&room, 1, 1);
}

size_t transmitBatch(int socket, Batch& batch, int& patienceMs) {
  size_t sent = 0;
  for (unsigned at = 0; at < batch.size;) {
    const int count = sendmmsg(socket, &batch.messages[at], batch.size - at, MSG_DONTWAIT);
    if (count > 0) {
      at += static_cast<unsigned>(count);
      sent += static_cast<size_t>(count);
      continue;
    }
    const int error = errno;
    if (error == EINTR) continue;
    if (error == ENETDOWN || error == ENXIO || error == ENODEV) break;
    if ((error == ENOBUFS || error == EAGAIN) && patienceMs > 0) {
      --patienceMs;
      waitForRoom(socket, error);
      continue;
    }
    ++at;
  }
  return sent;
}

}  // namespace

size_t transmit(int socket, int ifindex, std::span<const iovec> frames, int patienceMs) {
  size_t sent = 0;
  for (size_t at = 0; at < frames.size(); at += kBatch) {
    Batch batch;
    for (const iovec& frame : frames.subspan(at, std::min(kBatch, frames.size() - at))) {
      if (frame.iov_len >= ETH_HLEN) batch.add(frame, ifindex);
    }
    sent += transmitBatch(socket, batch, patienceMs);
  }
  return sent;
}

}  // namespace herald
