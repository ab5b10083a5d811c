#include "group_membership.h"

#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace herald {

namespace {

// Who answers for a moment on behalf of a node that was not heard should not trouble the switches with it each time.
constexpr std::chrono::seconds kLinger{5};

void addGroup(const Address& address, Groups& groups) {
  if (isIPv6(address)) groups.push_back(uint32_t{address[13]} << 16 | uint32_t{address[14]} << 8 | address[15]);
}

}  // namespace

Groups solicitedNodeGroups(const AddressTable& table, const Watched& watched) {
  Groups groups;
  for (const auto& [address, mac] : table.entries()) addGroup(address, groups);
  for (const Address& address : watched.probed) addGroup(address, groups);
  std::sort(groups.begin(), groups.end());
  groups.erase(std::unique(groups.begin(), groups.end()), groups.end());
  return groups;
}

GroupMembership::GroupMembership(Counters& counters)
    : counters_(counters), packets_(openSendSocket()), thread_(startThread("herald-groups", [this] { run(); })) {}

void GroupMembership::want(Groups groups) {
  std::lock_guard lock(mutex_);
  if (groups == wanted_) return;
  wanted_ = std::move(groups);
  ++version_;
  changed_.notify_one();
}

void GroupMembership::moveTo(int ifindex) {
  std::lock_guard lock(mutex_);
  wantedIfindex_ = ifindex;
  ++version_;
  ++moves_;
  changed_.notify_one();
}

void GroupMembership::close() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
    changed_.notify_one();
  }
  thread_.join();
}

void GroupMembership::run() {
  for (;;) {
    Groups wanted;
    bool moved;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, leaveAt_, [this] { return closing_ || version_ != doneVersion_; });
      if (closing_) return;
      wanted = wanted_;
      doneVersion_ = version_;
      moved = std::exchange(doneMoves_, moves_) != moves_;
      if (moved) ifindex_ = wantedIfindex_;
    }
    if (moved) forget();
    if (ifindex_ <= 0 || !joinWanted(wanted)) continue;
    if (Clock::now() >= leaveAt_) {
      leaveUnwanted(wanted);
    } else if (leaveAt_ == kNever && joined_.size() > wanted.size()) {
      leaveAt_ = Clock::now() + kLinger;
    }
  }
}

void GroupMembership::forget() {
  joined_.clear();
  sockets_.clear();
  leaveAt_ = kNever;
  if (takesAll_) leaveAllGroups(packets_, takesAllOn_);
  takesAll_ = false;
}

bool GroupMembership::outdated() {
  std::lock_guard lock(mutex_);
  return closing_ || version_ != doneVersion_;
}

void GroupMembership::leaveUnwanted(const Groups& wanted) {
  for (auto group = joined_.begin(); group != joined_.end();) {
    if (outdated()) return;
    if (std::binary_search(wanted.begin(), wanted.end(), group->first)) {
      ++group;
      continue;
    }
    Socket& socket = sockets_[group->second];
    leaveSolicitedNodeGroup(socket.fd, group->first, ifindex_);
    socket.full = false;
    counters_.add(Counter::GroupsLeft);
    group = joined_.erase(group);
  }
  leaveAt_ = kNever;
}

bool GroupMembership::joinWanted(const Groups& wanted) {
  for (const uint32_t group : wanted) {
    if (outdated()) return false;
    if (joined_.contains(group)) continue;
    if (join(group)) {
      counters_.add(Counter::GroupsJoined);
    } else {
      takeAllGroups();
      return true;
    }
  }
  return true;
}

// The kernel bounds the groups of one socket (net.core.optmem_max): 365 before Linux 6.7, 2340 since.
bool GroupMembership::join(uint32_t group) {
  for (size_t i = 0;; ++i) {
    const bool fresh = i == sockets_.size();
    if (fresh) {
      Descriptor fd = openGroupSocket();
      if (fd < 0) return false;  // no IPv6 here, or no descriptors left
      sockets_.push_back({std::move(fd), false});
    }
    Socket& socket = sockets_[i];
    if (socket.full) continue;
    const int error = joinSolicitedNodeGroup(socket.fd, group, ifindex_);
    if (error == 0) {
      joined_[group] = i;
      return true;
    }
    if (fresh || (error != ENOBUFS && error != ENOMEM)) return false;
    socket.full = true;
  }
}

// Without IPv6 on the interface there is nobody to report the groups, but the NIC can still let them in.
void GroupMembership::takeAllGroups() {
  if (takesAll_) return;
  counters_.add(Counter::GroupsRefused);
  takesAll_ = joinAllGroups(packets_, ifindex_) == 0;
  takesAllOn_ = ifindex_;
}

}  // namespace herald
