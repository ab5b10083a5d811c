// Bounds a rate, and lets a burst through.
#pragma once

#include <algorithm>
#include <cstdint>

namespace herald {

class TokenBucket {
 public:
  constexpr TokenBucket(int64_t perSecond, int64_t burst)
      : gapNs_(1'000'000'000 / perSecond), burstNs_(burst * gapNs_) {}

  // Gives false where there were too many lately.
  bool take(int64_t nowNs) {
    const int64_t fullAtNs = std::max(fullAtNs_, nowNs) + gapNs_;
    if (fullAtNs > nowNs + burstNs_) return false;
    fullAtNs_ = fullAtNs;
    return true;
  }

 private:
  const int64_t gapNs_, burstNs_;
  int64_t fullAtNs_ = 0;
};

}  // namespace herald
