// What happened to every frame, by reason. JavaScript reads the names as they stand here; docs/responder.md explains
// each.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace herald {

enum class Counter : size_t {
  // Each ARP frame received ends as exactly one of these.
  ArpAnswered,
  ArpAnswerErrors,
  ArpExpired,
  ArpNotOurs,
  ArpGratuitous,
  ArpReplies,
  ArpForeignDestination,
  ArpShort,
  ArpNotIPv4OverEthernet,
  ArpUnknownOperation,
  ArpBadSender,
  // Each neighbor solicitation or advertisement received ends as exactly one of these.
  NsAnswered,
  NsAnswerErrors,
  NsExpired,
  NsNotOurs,
  NsForeignDestination,
  NsBadSource,
  NdpAdvertisements,
  NdpShort,
  NdpBadHopLimit,
  NdpUnknownCode,
  NdpBadChecksum,
  NdpBadTarget,
  NdpBadOptions,
  // Before user space: the receive buffer was full.
  ArpOverruns,
  NdpOverruns,
  HelloOverruns,
  // Hello frames.
  Hellos,
  HellosTooLong,
  HelloQueueOverflow,
  HellosDiscarded,
  // Frames that name a watched IP or one of the table. Those lost to a flood, or stale after a stall.
  Sightings,
  SightingsDropped,
  // Frames sent for JavaScript.
  Sent,
  SendErrors,
  // Times the sockets were bound to another interface of the same name.
  Rebinds,
  // Solicited-node groups joined and left; times the interface was set to take all groups instead.
  GroupsJoined,
  GroupsLeft,
  GroupsRefused,
  Count
};

inline constexpr std::array<const char*, static_cast<size_t>(Counter::Count)> kCounterNames = {
    "arpAnswered",
    "arpAnswerErrors",
    "arpExpired",
    "arpNotOurs",
    "arpGratuitous",
    "arpReplies",
    "arpForeignDestination",
    "arpShort",
    "arpNotIPv4OverEthernet",
    "arpUnknownOperation",
    "arpBadSender",
    "nsAnswered",
    "nsAnswerErrors",
    "nsExpired",
    "nsNotOurs",
    "nsForeignDestination",
    "nsBadSource",
    "ndpAdvertisements",
    "ndpShort",
    "ndpBadHopLimit",
    "ndpUnknownCode",
    "ndpBadChecksum",
    "ndpBadTarget",
    "ndpBadOptions",
    "arpOverruns",
    "ndpOverruns",
    "helloOverruns",
    "hellos",
    "hellosTooLong",
    "helloQueueOverflow",
    "hellosDiscarded",
    "sightings",
    "sightingsDropped",
    "sent",
    "sendErrors",
    "rebinds",
    "groupsJoined",
    "groupsLeft",
    "groupsRefused",
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
