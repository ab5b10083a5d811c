#include "packet_socket.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace herald {

namespace {

constexpr size_t kBatch = 64;
// An Ethernet frame of 1500 bytes payload, and a tag.
constexpr size_t kFrameLimit = 1518;
// Bounds what a full transmit queue may cost the JavaScript thread per call.
constexpr int kSendPatienceMs = 5;

// Since Linux 6.12, who asks for shorter slices is let onto a busy CPU sooner (EEVDF); needs no privilege. Before that
// the kernel refuses or ignores it.
void askForShortSlices() {
  struct {
    uint32_t size = sizeof *this, policy = SCHED_OTHER;
    uint64_t flags = 0;
    int32_t nice = 0;
    uint32_t priority = 0;
    uint64_t runtimeNs = 100'000, deadlineNs = 0, periodNs = 0;
  } attributes;
  syscall(SYS_sched_setattr, 0, &attributes, 0);
}

}  // namespace

int64_t boottimeNs() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

// Buffers for one recvmmsg.
struct PacketSocket::Receiver {
  std::array<std::array<uint8_t, kFrameLimit>, kBatch> frames;
  std::array<sockaddr_ll, kBatch> from;
  std::array<iovec, kBatch> vectors;
  std::array<mmsghdr, kBatch> messages{};

  Receiver() {
    for (size_t i = 0; i < kBatch; ++i) {
      vectors[i] = {frames[i].data(), kFrameLimit};
      messages[i].msg_hdr.msg_name = &from[i];
      messages[i].msg_hdr.msg_namelen = sizeof from[i];
      messages[i].msg_hdr.msg_iov = &vectors[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
  }
  // Gives the number of frames; errors (the interface went down) count as none, and are over once read.
  size_t receive(int socket) {
    const int count = recvmmsg(socket, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
    for (int i = 0; i < count; ++i) messages[i].msg_hdr.msg_namelen = sizeof from[i];
    return count > 0 ? static_cast<size_t>(count) : 0;
  }
  bool truncated(size_t i) const { return (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
};

PacketSocket::PacketSocket(std::string interface, std::function<void()> wake)
    : interface_(std::move(interface)),
      wake_(std::move(wake)),
      links_(openLinkSocket()),  // first, so that no change after the first look is missed
      arp_(openArpSocket()),
      hello_(openHelloSocket()),
      send_(openSendSocket()),
      wakeup_(openWakeup()),
      events_(openEvents({links_, arp_, hello_, wakeup_})),
      link_(readLink(send_, interface_)) {
  if (link_.ifindex == 0) throw OpenError("NoSuchInterface", "there is no such interface");
  if (!link_.ethernet) throw OpenError("NoSuchInterface", "the interface is no Ethernet interface");
  if (const int error = rebind(link_.ifindex)) {
    throw OpenError("NoPacketSocket", std::string("bind to the interface: ") + std::strerror(error));
  }
  // Signals are for Node's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (const std::system_error& error) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw OpenError("NoPacketSocket", std::string("start a thread: ") + error.what());
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "herald-packets");
}

void PacketSocket::setTable(std::shared_ptr<const AddressTable> table) {
  // The former table is freed by the caller's thread, after the lock.
  std::lock_guard lock(answering_);
  table_.swap(table);
}

void PacketSocket::renew(int64_t validForNs) {
  std::lock_guard lock(answering_);
  validUntilNs_ = validForNs > 0 ? boottimeNs() + validForNs : 0;
}

void PacketSocket::send(std::span<const iovec> frames) {
  int ifindex;
  {
    std::lock_guard lock(linkMutex_);
    ifindex = link_.ifindex;
  }
  const size_t sent = ifindex > 0 ? transmit(send_, ifindex, frames, kSendPatienceMs) : 0;
  counters_.add(Counter::Sent, sent);
  counters_.add(Counter::SendErrors, frames.size() - sent);
}

// What the kernel still holds is as old as what the thread has taken.
size_t PacketSocket::discardQueued() {
  std::lock_guard lock(hearing_);
  size_t discarded = 0;
  uint8_t byte;
  for (size_t i = 0; i < (1 << 16) && recv(hello_, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; ++i) ++discarded;
  discarded += queue_.discardFrames();
  counters_.add(Counter::HellosDiscarded, discarded);
  return discarded;
}

Mac PacketSocket::mac() const {
  std::lock_guard lock(linkMutex_);
  return link_.mac;
}

const Counters& PacketSocket::counters() {
  counters_.add(Counter::ArpOverruns, takeOverruns(arp_));
  counters_.add(Counter::HelloOverruns, takeOverruns(hello_));
  return counters_;
}

void PacketSocket::close() {
  if (!thread_.joinable()) return;
  closing_ = true;
  eventfd_write(wakeup_, 1);
  thread_.join();
}

void PacketSocket::run() {
  askForShortSlices();
  if (queue_.add(link_)) wake_();
  const auto receiver = std::make_unique<Receiver>();
  while (!closing_) {
    std::array<epoll_event, 4> events;
    const int count = epoll_wait(events_, events.data(), events.size(), -1);
    if (count < 0 && errno != EINTR) return fail("wait for frames", errno);
    for (int i = 0; i < count; ++i) {
      const int ready = events[i].data.fd;
      if (ready == arp_) answerRequests(*receiver);
      if (ready == hello_) receiveHellos(*receiver);
      if (ready == links_) drainLinkChanges();
    }
  }
}

void PacketSocket::answerRequests(Receiver& receiver) {
  const size_t count = receiver.receive(arp_);
  std::array<ArpFrame, kBatch> replies;
  std::array<iovec, kBatch> vectors;
  size_t ready = 0;

  std::lock_guard lock(answering_);
  for (size_t i = 0; i < count; ++i) {
    // Queued before the interface was given up for another of the same name.
    if (receiver.from[i].sll_ifindex != link_.ifindex) continue;
    Counter outcome =
        answerArp(receiver.frames[i].data(), receiver.messages[i].msg_len, link_.mac, *table_, replies[ready]);
    if (outcome == Counter::Answered && boottimeNs() >= validUntilNs_) outcome = Counter::Expired;
    if (outcome == Counter::Answered) {
      vectors[ready] = {replies[ready].data(), kArpFrameSize};
      ++ready;
    } else {
      counters_.add(outcome);
    }
  }
  const size_t sent = transmit(arp_, link_.ifindex, {vectors.data(), ready}, 0);
  counters_.add(Counter::Answered, sent);
  counters_.add(Counter::AnswerErrors, ready - sent);
}

void PacketSocket::receiveHellos(Receiver& receiver) {
  std::lock_guard lock(hearing_);
  const size_t count = receiver.receive(hello_);
  bool mustWake = false;
  for (size_t i = 0; i < count; ++i) {
    if (receiver.from[i].sll_ifindex != link_.ifindex) continue;
    if (receiver.truncated(i)) {
      counters_.add(Counter::HellosTooLong);
      continue;
    }
    bool overflow = false;
    mustWake |= queue_.add(receiver.frames[i].data(), receiver.messages[i].msg_len, overflow);
    counters_.add(Counter::Hellos);
    if (overflow) counters_.add(Counter::HelloQueueOverflow);
  }
  if (mustWake) wake_();
}

// The messages only say that something changed somewhere: what holds now is asked for, so a lost message does no harm.
void PacketSocket::drainLinkChanges() {
  uint8_t message[8192];
  while (recv(links_, message, sizeof message, MSG_DONTWAIT) >= 0 || errno == ENOBUFS) {
  }
  followLink();
}

void PacketSocket::followLink() {
  Link now = readLink(send_, interface_);
  if (!now.ethernet) now = Link{};
  // The kernel unbinds at a delete, even when the next interface gets the same index.
  if (now.ifindex != 0 && (boundTo(arp_) != now.ifindex || boundTo(hello_) != now.ifindex)) {
    const int error = rebind(now.ifindex);
    if (error == 0) {
      counters_.add(Counter::Rebinds);
    } else if (error == ENODEV || error == ENXIO) {
      now = Link{};  // gone again already: its own message follows
    } else {
      fail("bind to the interface", error);
    }
  }
  if (now.ifindex == 0) now.mac = link_.mac;
  if (now == link_) return;
  {
    std::lock_guard lock(linkMutex_);
    link_ = now;
  }
  if (queue_.add(now)) wake_();
}

void PacketSocket::fail(const char* doing, int error) {
  if (queue_.add(std::string(doing) + ": " + std::strerror(error))) wake_();
}

int PacketSocket::rebind(int ifindex) {
  if (const int error = bindTo(arp_, ETH_P_ARP, ifindex)) return error;
  if (const int error = bindTo(hello_, kHelloEtherType, ifindex)) return error;
  return joinGroup(hello_, kHelloGroup, ifindex);
}

}  // namespace herald
