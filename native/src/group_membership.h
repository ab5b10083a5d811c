// Joins the solicited-node groups of the addresses on an interface, so that solicitations reach it: the NIC lets them
// in, and the kernel reports them by MLD to switches that snoop (RFC 4861 section 7.2.1). A thread of its own does it,
// since each call may wait for the kernel's locks.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "address_table.h"
#include "counters.h"
#include "sockets.h"

namespace herald {

// The last 24 bits of addresses name their groups. Sorted, each once.
using Groups = std::vector<uint32_t>;
Groups solicitedNodeGroups(const AddressTable& table, const Watched& watched);

class GroupMembership {
 public:
  // Throws OpenError.
  explicit GroupMembership(Counters& counters);
  ~GroupMembership() { close(); }
  GroupMembership(const GroupMembership&) = delete;
  GroupMembership& operator=(const GroupMembership&) = delete;

  // In place of those before; they are left some seconds after. Returns at once.
  void want(Groups groups);
  // Joins all anew: the kernel forgets memberships together with the interface, or with its IPv6. 0: there is none.
  void moveTo(int ifindex);
  // Ends the thread, which leaves all groups.
  void close();

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr Clock::time_point kNever = Clock::time_point::max();

  struct Socket {
    Descriptor fd;
    bool full;
  };

  void run();
  void forget();
  // Each ends early where there is something newer to do; joinWanted() gives false then.
  bool joinWanted(const Groups& wanted);
  void leaveUnwanted(const Groups& wanted);
  bool join(uint32_t group);
  void takeAllGroups();
  bool outdated();

  Counters& counters_;
  // Sets the interface to take all groups where it can't join them one by one.
  Descriptor packets_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Groups wanted_;
  int wantedIfindex_ = 0;
  uint64_t version_ = 0;  // rises with each change of the wanted; so does the next with moves
  uint64_t moves_ = 0;
  bool closing_ = false;

  // Of the thread alone.
  uint64_t doneVersion_ = 0;
  uint64_t doneMoves_ = 0;
  int ifindex_ = 0;
  Clock::time_point leaveAt_ = kNever;
  bool takesAll_ = false;
  int takesAllOn_ = 0;
  std::vector<Socket> sockets_;
  std::unordered_map<uint32_t, size_t> joined_;  // group to socket

  std::thread thread_;
};

}  // namespace herald
