// One interface: answers ARP from a table, takes hello frames, follows the link. A thread of its own does the work,
// so no stall of the JavaScript thread delays a reply. It knows nothing of Node.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <thread>

#include "address_table.h"
#include "arp_responder.h"
#include "counters.h"
#include "hello_queue.h"
#include "sockets.h"
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

  void send(std::span<const iovec> frames);
  HelloQueue::Batch take() { return queue_.take(); }
  // Drops the hello frames that came before this call, here and in the kernel, and gives their number.
  size_t discardQueued();
  // The last known one while the interface is gone.
  Mac mac() const;
  const Counters& counters();
  // Ends the thread; closing twice does nothing. Not to be called from the thread.
  void close();

 private:
  struct Receiver;

  void run();
  void answerRequests(Receiver& receiver);
  void receiveHellos(Receiver& receiver);
  void drainLinkChanges();
  void followLink();
  // Gives 0 or an errno.
  int rebind(int ifindex);
  void fail(const char* doing, int error);

  const std::string interface_;
  const std::function<void()> wake_;
  Descriptor links_, arp_, hello_, send_, wakeup_, events_;
  Counters counters_;
  HelloQueue queue_;

  // Held from the look at the table and the deadline until the replies are out.
  std::mutex answering_;
  std::shared_ptr<const AddressTable> table_ = std::make_shared<const AddressTable>();
  int64_t validUntilNs_ = 0;

  // Held while frames go from the kernel to the queue.
  std::mutex hearing_;

  mutable std::mutex linkMutex_;
  Link link_;

  std::atomic<bool> closing_ = false;
  std::thread thread_;
};

// CLOCK_BOOTTIME: goes on while the machine sleeps, so a deadline is over after a suspend.
int64_t boottimeNs();

}  // namespace herald
