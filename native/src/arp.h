// ARP for IPv4 over Ethernet (RFC 826): reads a frame, answers a request. Pure: no socket, no clock.
#pragma once

#include <optional>
#include <variant>

#include "address_table.h"
#include "counters.h"
#include "reply.h"
#include "sighting.h"

namespace herald {

// Views the frame.
struct Arp {
  bool request;
  const uint8_t* destination;  // MAC that the frame was sent to
  const uint8_t* senderMac;
  const uint8_t* senderIP;
  const uint8_t* targetIP;
};

// Gives why the frame is none to look at. `own` is the interface's MAC.
std::variant<Arp, Counter> readArp(const uint8_t* frame, size_t size, const Mac& own);

// Gives Counter::ArpAnswered and fills `reply`, or the reason why there is no reply.
// `own` is the frame's source even where the table's MAC is another node's, so that switches never learn that MAC at
// this port.
Counter answer(const Arp& arp, const Mac& own, const AddressTable& table, Reply& reply);

// What the frame tells of who has an IP, or wants one that is probed for.
std::optional<Sighting> sight(const Arp& arp, const Watched& watched);

}  // namespace herald
