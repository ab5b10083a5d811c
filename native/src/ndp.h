// Neighbor solicitations and advertisements (RFC 4861): reads a frame, answers a solicitation. Pure: no socket, no
// clock.
#pragma once

#include <optional>
#include <variant>

#include "address_table.h"
#include "counters.h"
#include "reply.h"
#include "sighting.h"

namespace herald {

// Views the frame, whose hop limit, checksum and options are right (RFC 4861 sections 7.1.1 and 7.1.2).
struct Ndp {
  bool solicitation;
  const uint8_t* destination;  // MAC that the frame was sent to
  const uint8_t* source;       // MAC that it came from
  const uint8_t* sourceIP;
  const uint8_t* destinationIP;
  const uint8_t* targetIP;
  const uint8_t* mac;  // of the link-layer address option; null where there is none
};

// Gives why the frame is none to look at. Expects a solicitation or an advertisement in IPv6, as the socket's filter
// lets through.
std::variant<Ndp, Counter> readNdp(const uint8_t* frame, size_t size);

// Gives Counter::NsAnswered and fills `reply`, or the reason why there is no reply.
// `own` is the frame's source, as in ARP. The IPv6 source is the target itself, so no address of this interface is
// needed, which may be tentative still. The Override flag stands also in what is said on behalf of another node: the MAC
// is the one that node says itself.
Counter answer(const Ndp& ndp, const Mac& own, const AddressTable& table, Reply& reply);

// What the frame tells of who has an IP, or wants one that is probed for.
std::optional<Sighting> sight(const Ndp& ndp, const Watched& watched);

}  // namespace herald
