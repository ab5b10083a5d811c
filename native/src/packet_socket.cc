#include "packet_socket.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "arp.h"
#include "ndp.h"

namespace herald {

namespace {

constexpr size_t kBatch = 64;
// An Ethernet frame of 1500 bytes payload, and a tag.
constexpr size_t kFrameLimit = 1518;
// Bounds what a full transmit queue may cost the JavaScript thread per call.
constexpr int kSendPatienceMs = 5;
// Bounds how often sightings can wake JavaScript; their number is bounded by TokenBuckets.
constexpr int64_t kTellEveryNs = 5'000'000;
// More than the kernel's buffer holds.
constexpr size_t kStaleBatches = 1024;
// RFC 2464 section 7, RFC 4291 section 2.7.1: answers to probes are sent here.
constexpr Mac kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};

struct Verdict {
  Counter outcome;
  std::optional<Sighting> sighting;
};

template <class Message>
Verdict judge(const std::variant<Message, Counter>& read, const Mac& own, const AddressTable& table,
              const Watched& watched, Reply& reply) {
  if (const Counter* why = std::get_if<Counter>(&read)) return {*why, std::nullopt};
  const Message& message = std::get<Message>(read);
  return {answer(message, own, table, reply), sight(message, watched)};
}

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

struct PacketSocket::Protocol {
  Verdict (*judge)(const uint8_t* frame, size_t size, const Mac& own, const AddressTable& table, const Watched& watched,
                   Reply& reply);
  Counter answered, answerErrors, expired;
};

const PacketSocket::Protocol PacketSocket::kArp = {
    [](const uint8_t* frame, size_t size, const Mac& own, const AddressTable& table, const Watched& watched,
       Reply& reply) { return judge(readArp(frame, size, own), own, table, watched, reply); },
    Counter::ArpAnswered, Counter::ArpAnswerErrors, Counter::ArpExpired};

const PacketSocket::Protocol PacketSocket::kNdp = {
    [](const uint8_t* frame, size_t size, const Mac& own, const AddressTable& table, const Watched& watched,
       Reply& reply) { return judge(readNdp(frame, size), own, table, watched, reply); },
    Counter::NsAnswered, Counter::NsAnswerErrors, Counter::NsExpired};

PacketSocket::PacketSocket(std::string interface, std::function<void()> wake)
    : interface_(std::move(interface)),
      wake_(std::move(wake)),
      links_(openLinkSocket()),  // first, so that no change after the first look is missed
      linkRequests_(openLinkRequests()),
      arp_(openArpSocket()),
      ndp_(openNdpSocket()),
      hello_(openHelloSocket()),
      send_(openSendSocket()),
      wakeup_(openWakeup()),
      events_(openEvents({links_, arp_, ndp_, hello_, wakeup_})),
      link_(readLink(linkRequests_, interface_)),
      groups_(counters_) {
  if (link_.ifindex == 0) throw OpenError("NoSuchInterface", "there is no such interface");
  if (!link_.ethernet) throw OpenError("NoSuchInterface", "the interface is no Ethernet interface");
  if (const int error = rebind(link_.ifindex)) {
    throw OpenError("NoPacketSocket", std::string("bind to the interface: ") + std::strerror(error));
  }
  groups_.moveTo(link_.ifindex);
  thread_ = startThread("herald-packets", [this] { run(); });
}

void PacketSocket::setTable(std::shared_ptr<const AddressTable> table) {
  groups_.want(solicitedNodeGroups(*table, *watched_));
  // The former table is freed by the caller's thread, after the lock.
  std::lock_guard lock(answering_);
  table_.swap(table);
}

void PacketSocket::setWatched(std::shared_ptr<const Watched> watched) {
  groups_.want(solicitedNodeGroups(*table_, *watched));
  std::lock_guard lock(answering_);
  watched_.swap(watched);
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
  {
    std::lock_guard lock(answering_);
    stale_ = true;
    counters_.add(Counter::SightingsDropped, queue_.discardSightings());
  }
  eventfd_write(wakeup_, 1);
  std::lock_guard lock(hearing_);
  size_t discarded = 0;
  uint8_t byte;
  for (size_t i = 0; i < (1 << 16) && recv(hello_, &byte, 1, MSG_DONTWAIT | MSG_TRUNC) >= 0; ++i) ++discarded;
  discarded += queue_.discardHellos();
  counters_.add(Counter::HellosDiscarded, discarded);
  return discarded;
}

Mac PacketSocket::mac() const {
  std::lock_guard lock(linkMutex_);
  return link_.mac;
}

const Counters& PacketSocket::counters() {
  counters_.add(Counter::ArpOverruns, takeOverruns(arp_));
  counters_.add(Counter::NdpOverruns, takeOverruns(ndp_));
  counters_.add(Counter::HelloOverruns, takeOverruns(hello_));
  return counters_;
}

void PacketSocket::close() {
  if (!thread_.joinable()) return;
  closing_ = true;
  eventfd_write(wakeup_, 1);
  thread_.join();
  groups_.close();
}

void PacketSocket::run() {
  askForShortSlices();
  if (queue_.add(link_)) wake_();
  const auto receiver = std::make_unique<Receiver>();
  while (!closing_) {
    std::array<epoll_event, 5> events;
    const int count = epoll_wait(events_, events.data(), events.size(), nextTellMs());
    if (count < 0 && errno != EINTR) return fail("wait for frames", errno);
    for (int i = 0; i < count; ++i) {
      const int ready = events[i].data.fd;
      if (ready == arp_) answerRequests(*receiver, arp_, kArp);
      if (ready == ndp_) answerRequests(*receiver, ndp_, kNdp);
      if (ready == hello_) receiveHellos(*receiver);
      if (ready == links_) drainLinkChanges();
      if (ready == wakeup_) passStaleRequests(*receiver);
    }
    tellSightings();
  }
}

bool PacketSocket::answerRequests(Receiver& receiver, int socket, const Protocol& protocol) {
  const size_t count = receiver.receive(socket);
  std::array<Reply, kBatch> replies;
  std::array<iovec, kBatch> vectors;
  size_t ready = 0;

  std::lock_guard lock(answering_);
  for (size_t i = 0; i < count; ++i) {
    // Queued before the interface was given up for another of the same name.
    if (receiver.from[i].sll_ifindex != link_.ifindex) continue;
    Reply& reply = replies[ready];
    const size_t size = receiver.messages[i].msg_len;
    auto [outcome, sighting] =
        protocol.judge(receiver.frames[i].data(), size, link_.mac, *table_, *watched_, reply);
    if (sighting) note(*sighting, {receiver.frames[i].data(), size});
    if (outcome == protocol.answered && boottimeNs() >= validUntilNs_) outcome = protocol.expired;
    if (outcome == protocol.answered) {
      vectors[ready] = {reply.frame.data(), reply.size};
      ++ready;
    } else {
      counters_.add(outcome);
    }
  }
  const size_t sent = transmit(socket, link_.ifindex, {vectors.data(), ready}, 0);
  counters_.add(protocol.answered, sent);
  counters_.add(protocol.answerErrors, ready - sent);
  return count == kBatch;
}

// A frame with our own MAC comes from a loop, or from who answers for us. What others have to do with each other is
// told of now and then: it shows that this interface hears, and who may be asked.
void PacketSocket::note(const Sighting& sighting, std::span<const uint8_t> frame) {
  if (sighting.mac == link_.mac) return;
  const int64_t now = boottimeNs();
  const bool watched = watched_->contains(sighting.ip);
  const bool matters = watched || sighting.kind == SightingKind::Reply || table_->find(sighting.ip) != nullptr;
  if (!matters && !samples_.take(now)) return;
  TokenBucket& pace = watched ? watchedPace_ : otherPace_;
  const auto added = stale_ ? NewsQueue::Added::Dropped : queue_.addSighting(sighting, frame, pace, now);
  counters_.add(added == NewsQueue::Added::Dropped ? Counter::SightingsDropped : Counter::Sightings);
  sightingsWait_ |= added == NewsQueue::Added::New;
}

void PacketSocket::tellSightings() {
  if (!sightingsWait_) return;
  const int64_t now = boottimeNs();
  if (now < nextTellNs_) return;
  sightingsWait_ = false;
  nextTellNs_ = now + kTellEveryNs;
  if (queue_.wakeForSightings()) wake_();
}

int PacketSocket::nextTellMs() const {
  if (!sightingsWait_) return -1;
  const int64_t leftNs = nextTellNs_ - boottimeNs();
  return leftNs > 0 ? static_cast<int>(leftNs / 1'000'000) + 1 : 0;
}

// Requests get their answers or expire; what they tell of others is as old as they are.
void PacketSocket::passStaleRequests(Receiver& receiver) {
  eventfd_t calls;
  eventfd_read(wakeup_, &calls);
  for (const auto& [socket, protocol] : {std::pair<int, const Protocol&>(arp_, kArp), {ndp_, kNdp}}) {
    for (size_t i = 0; i < kStaleBatches && answerRequests(receiver, socket, protocol);) ++i;
  }
  std::lock_guard lock(answering_);
  stale_ = false;
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
  Link now = readLink(linkRequests_, interface_);
  if (!now.ethernet) now = Link{};
  // The kernel unbinds at a delete, even when the next interface gets the same index.
  const bool unbound = boundTo(arp_) != now.ifindex || boundTo(ndp_) != now.ifindex || boundTo(hello_) != now.ifindex;
  if (now.ifindex != 0 && unbound) {
    const int error = rebind(now.ifindex);
    if (error == 0) {
      counters_.add(Counter::Rebinds);
    } else if (error == ENODEV || error == ENXIO) {
      now = Link{};  // gone again already: its own message follows
    } else {
      fail("bind to the interface", error);
    }
  }
  // An MTU that is too small for IPv6 ends it on the interface, and all its groups.
  if (unbound || now.ifindex != link_.ifindex || now.mtu != link_.mtu) groups_.moveTo(now.ifindex);
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
  if (const int error = bindTo(ndp_, ETH_P_IPV6, ifindex)) return error;
  if (const int error = bindTo(hello_, kHelloEtherType, ifindex)) return error;
  if (const int error = joinGroup(ndp_, kAllNodesMac, ifindex)) return error;
  return joinGroup(hello_, kHelloGroup, ifindex);
}

}  // namespace herald
