// What an ARP or NDP frame tells: a MAC has an IP, or wants it.
#pragma once

#include "address_table.h"

namespace herald {

enum class SightingKind : uint8_t {
  // An ARP reply, or an advertisement, to this interface's own MAC.
  Reply,
  // Told to everyone.
  Announcement,
  // The sender asks for something else and says who it is.
  Request,
  // The sender wants the IP if nobody has it.
  Probe,
};

struct Sighting {
  Address ip;
  Mac mac;
  SightingKind kind;
  bool operator==(const Sighting&) const = default;
};

struct SightingHash {
  size_t operator()(const Sighting& sighting) const {
    uint64_t mac = static_cast<uint64_t>(sighting.kind);
    for (const uint8_t byte : sighting.mac) mac = mac << 8 | byte;
    return AddressHash{}(sighting.ip) ^ mac * 0x9e3779b97f4a7c15 >> 17;
  }
};

}  // namespace herald
