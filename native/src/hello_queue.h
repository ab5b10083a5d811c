// What the thread has for JavaScript: hello frames, the link's state, an error. Bounded, the oldest frame goes first.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sockets.h"

namespace herald {

using Frame = std::vector<uint8_t>;

class HelloQueue {
 public:
  struct Batch {
    std::deque<Frame> frames;
    std::optional<Link> link;
    std::optional<std::string> error;
  };

  // The adders give true when the consumer must be woken: nothing was waiting before.
  bool add(const uint8_t* frame, size_t size, bool& overflow) {
    std::lock_guard lock(mutex_);
    overflow = waiting_.frames.size() == kLimit;
    if (overflow) waiting_.frames.pop_front();
    waiting_.frames.emplace_back(frame, frame + size);
    return wake();
  }
  bool add(const Link& link) {
    std::lock_guard lock(mutex_);
    waiting_.link = link;
    return wake();
  }
  bool add(const std::string& error) {
    std::lock_guard lock(mutex_);
    waiting_.error = error;
    return wake();
  }
  Batch take() {
    std::lock_guard lock(mutex_);
    woken_ = false;
    return std::exchange(waiting_, Batch{});
  }
  size_t discardFrames() {
    std::lock_guard lock(mutex_);
    return std::exchange(waiting_.frames, {}).size();
  }

 private:
  // A second of hellos from 400 speakers; 6 MB at most.
  static constexpr size_t kLimit = 4096;

  bool wake() { return !std::exchange(woken_, true); }

  std::mutex mutex_;
  Batch waiting_;
  bool woken_ = false;
};

}  // namespace herald
