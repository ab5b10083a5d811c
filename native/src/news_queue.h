// What the thread has for JavaScript: hello frames, sightings, the link's state, an error. Bounded: of hello frames the
// oldest goes first, of sightings the newest is lost.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sighting.h"
#include "sockets.h"
#include "token_bucket.h"

namespace herald {

using Frame = std::vector<uint8_t>;

class NewsQueue {
 public:
  struct Batch {
    std::deque<Frame> hellos;
    std::vector<Frame> sightings;  // the first frame that told each
    std::optional<Link> link;
    std::optional<std::string> error;
  };

  // The adders but for addSighting give true when the consumer must be woken: nothing was waiting before.
  bool add(const uint8_t* frame, size_t size, bool& overflow) {
    std::lock_guard lock(mutex_);
    overflow = waiting_.hellos.size() == kHelloLimit;
    if (overflow) waiting_.hellos.pop_front();
    waiting_.hellos.emplace_back(frame, frame + size);
    return mustWake();
  }
  bool add(const Link& link) {
    std::lock_guard lock(mutex_);
    waiting_.link = link;
    return mustWake();
  }
  bool add(const std::string& error) {
    std::lock_guard lock(mutex_);
    waiting_.error = error;
    return mustWake();
  }

  enum class Added { New, Repeated, Dropped };
  // Wakes nobody: wakeForSightings() does, when the caller thinks it is time.
  Added addSighting(const Sighting& sighting, std::span<const uint8_t> frame, TokenBucket& pace, int64_t nowNs) {
    std::lock_guard lock(mutex_);
    if (known_.contains(sighting)) return Added::Repeated;
    if (waiting_.sightings.size() == kSightingLimit || !pace.take(nowNs)) return Added::Dropped;
    known_.insert(sighting);
    waiting_.sightings.emplace_back(frame.begin(), frame.end());
    return Added::New;
  }
  bool wakeForSightings() {
    std::lock_guard lock(mutex_);
    return !waiting_.sightings.empty() && mustWake();
  }

  Batch take() {
    std::lock_guard lock(mutex_);
    woken_ = false;
    known_.clear();
    return std::exchange(waiting_, Batch{});
  }
  size_t discardHellos() {
    std::lock_guard lock(mutex_);
    return std::exchange(waiting_.hellos, {}).size();
  }
  size_t discardSightings() {
    std::lock_guard lock(mutex_);
    known_.clear();
    return std::exchange(waiting_.sightings, {}).size();
  }

 private:
  // A second of hellos from 400 speakers; 6 MB at most.
  static constexpr size_t kHelloLimit = 4096;
  // While JavaScript is away. A tenth of a second of as many as may come.
  static constexpr size_t kSightingLimit = 1024;

  bool mustWake() { return !std::exchange(woken_, true); }

  std::mutex mutex_;
  Batch waiting_;
  std::unordered_set<Sighting, SightingHash> known_;  // what waiting_.sightings tell
  bool woken_ = false;
};

}  // namespace herald
