// Answers one ARP request (RFC 826) from a table. Pure: no socket, no clock.
#pragma once

#include "address_table.h"
#include "counters.h"

namespace herald {

// Ethernet header and ARP for IPv4, without padding or frame check sequence.
inline constexpr size_t kArpFrameSize = 42;
using ArpFrame = std::array<uint8_t, kArpFrameSize>;

// Gives Counter::Answered and fills `reply`, or the reason why there is no reply.
// `own` is the interface's MAC: the frame's source even where the table's MAC is another node's,
// so that switches never learn that MAC at this port.
Counter answerArp(const uint8_t* frame, size_t size, const Mac& own, const AddressTable& table, ArpFrame& reply);

}  // namespace herald
