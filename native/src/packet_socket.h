// One interface: answers ARP and NDP from a table, notes who has which IP, takes hello frames, follows the link. A
// thread of its own does the work, so no stall of the JavaScript thread delays a reply. It knows nothing of Node.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <thread>

#include "address_table.h"
#include "counters.h"
#include "group_membership.h"
#include "news_queue.h"
#include "reply.h"
#include "sighting.h"
#include "sockets.h"
#include "token_bucket.h"
#include "transmit.h"

namespace herald {

class PacketSocket {
 public:
  // Opens everything and starts the thread, or throws OpenError. `wake` is called from the thread when take() has
  // something, and not again before take() was called; the link's first state comes at once.
  PacketSocket(std::string interface, std::function<void()> wake);
  ~PacketSocket() { close(); }
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  // After each of these two has returned, no reply that the former state allowed leaves any more.
  void setTable(std::shared_ptr<const AddressTable> table);
  void renew(int64_t validForNs);
  void setWatched(std::shared_ptr<const Watched> watched);

  void send(std::span<const iovec> frames);
  NewsQueue::Batch take() { return queue_.take(); }
  // Drops the hello frames and sightings that came before this call, here and in the kernel; gives the number of the
  // frames. Requests that wait in the kernel are still answered, where the deadline allows it.
  size_t discardQueued();
  // The last known one while the interface is gone.
  Mac mac() const;
  const Counters& counters();
  // Ends the thread; closing twice does nothing. Not to be called from the thread.
  void close();

 private:
  struct Receiver;
  struct Protocol;
  static const Protocol kArp, kNdp;

  void run();
  // Gives whether there may be more to receive.
  bool answerRequests(Receiver& receiver, int socket, const Protocol& protocol);
  void note(const Sighting& sighting, std::span<const uint8_t> frame);
  void tellSightings();
  int nextTellMs() const;
  void passStaleRequests(Receiver& receiver);
  void receiveHellos(Receiver& receiver);
  void drainLinkChanges();
  void followLink();
  // Gives 0 or an errno.
  int rebind(int ifindex);
  void fail(const char* doing, int error);

  const std::string interface_;
  const std::function<void()> wake_;
  Descriptor links_, linkRequests_, arp_, ndp_, hello_, send_, wakeup_, events_;
  Counters counters_;
  NewsQueue queue_;

  // Held from the look at the table and the deadline until the replies are out.
  std::mutex answering_;
  std::shared_ptr<const AddressTable> table_ = std::make_shared<const AddressTable>();
  std::shared_ptr<const Watched> watched_ = std::make_shared<const Watched>();
  int64_t validUntilNs_ = 0;
  // What still waits in the kernel came before a stall.
  bool stale_ = false;

  // Of the thread alone: sightings are told of in bunches.
  bool sightingsWait_ = false;
  int64_t nextTellNs_ = 0;
  // What a flood may cost JavaScript. What is watched is not lost to a flood of the rest.
  TokenBucket watchedPace_{10'000, 256}, otherPace_{1'000, 64}, samples_{10, 1};

  // Held while frames go from the kernel to the queue.
  std::mutex hearing_;

  mutable std::mutex linkMutex_;
  Link link_;

  std::atomic<bool> closing_ = false;
  GroupMembership groups_;
  std::thread thread_;
};

// CLOCK_BOOTTIME: goes on while the machine sleeps, so a deadline is over after a suspend.
int64_t boottimeNs();

}  // namespace herald
