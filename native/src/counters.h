// What happened to every frame, by reason. JavaScript reads the names as they stand here.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace herald {

enum class Counter : size_t {
  // Each ARP frame received ends as exactly one of these.
  Answered,
  AnswerErrors,
  Expired,
  NotOurs,
  Gratuitous,
  Replies,
  ForeignDestination,
  Short,
  NotIPv4OverEthernet,
  UnknownOperation,
  BadSender,
  // Before user space: the receive buffer was full.
  ArpOverruns,
  HelloOverruns,
  // Hello frames.
  Hellos,
  HellosTooLong,
  HelloQueueOverflow,
  HellosDiscarded,
  // Frames sent for JavaScript.
  Sent,
  SendErrors,
  // Times the sockets were bound to another interface of the same name.
  Rebinds,
  Count
};

inline constexpr std::array<const char*, static_cast<size_t>(Counter::Count)> kCounterNames = {
    "answered",         "answerErrors",        "expired",          "notOurs",         "gratuitous",
    "replies",          "foreignDestination",  "short",            "notIPv4OverEthernet", "unknownOperation",
    "badSender",        "arpOverruns",         "helloOverruns",    "hellos",          "hellosTooLong",
    "helloQueueOverflow", "hellosDiscarded",   "sent",             "sendErrors",      "rebinds",
};

class Counters {
 public:
  void add(Counter counter, uint64_t by = 1) {
    values_[static_cast<size_t>(counter)].fetch_add(by, std::memory_order_relaxed);
  }
  uint64_t get(size_t index) const { return values_[index].load(std::memory_order_relaxed); }

 private:
  std::array<std::atomic<uint64_t>, static_cast<size_t>(Counter::Count)> values_{};
};

}  // namespace herald
