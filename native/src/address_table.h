// The addresses that are answered for, and the MAC each is answered with; and those that are watched.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

namespace herald {

using Mac = std::array<uint8_t, 6>;

// An IPv6 address, or an IPv4 address in IPv4-mapped form (RFC 4291 section 2.5.5.2): one table serves ARP and NDP.
using Address = std::array<uint8_t, 16>;

inline Address mappedIPv4(const uint8_t* ip) {
  Address address{};
  address[10] = address[11] = 0xff;
  std::memcpy(&address[12], ip, 4);
  return address;
}

inline Address ipv6(const uint8_t* ip) {
  Address address;
  std::memcpy(address.data(), ip, address.size());
  return address;
}

inline bool isIPv6(const Address& address) {
  static constexpr std::array<uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::memcmp(address.data(), kMapped.data(), kMapped.size()) != 0;
}

// Of one host: neither a group's nor zeros.
inline bool isUnicast(const uint8_t* mac) {
  static constexpr Mac kZero{};
  return (mac[0] & 1) == 0 && std::memcmp(mac, kZero.data(), kZero.size()) != 0;
}

struct AddressHash {
  size_t operator()(const Address& address) const {
    uint64_t high, low;
    std::memcpy(&high, address.data(), 8);
    std::memcpy(&low, address.data() + 8, 8);
    return (high * 0x9e3779b97f4a7c15 ^ low) * 0xff51afd7ed558ccd >> 17;
  }
};

// Immutable once it is handed over, so the thread reads it without caring who builds the next one.
class AddressTable {
 public:
  // One packed entry: address, 16 bytes, then MAC, 6 bytes.
  static constexpr size_t kEntrySize = 22;

  AddressTable() = default;
  // Ignores a rest shorter than an entry.
  AddressTable(const uint8_t* packed, size_t size) {
    entries_.reserve(size / kEntrySize);
    for (size_t at = 0; at + kEntrySize <= size; at += kEntrySize) {
      Mac mac;
      std::memcpy(mac.data(), packed + at + sizeof(Address), mac.size());
      entries_[ipv6(packed + at)] = mac;
    }
  }

  const Mac* find(const Address& address) const {
    auto entry = entries_.find(address);
    return entry == entries_.end() ? nullptr : &entry->second;
  }
  const auto& entries() const { return entries_; }

 private:
  std::unordered_map<Address, Mac, AddressHash> entries_;
};

// Addresses whose holders JavaScript wants to hear of, in addition to those of the table. Immutable like the table.
struct Watched {
  using Set = std::unordered_set<Address, AddressHash>;
  // Of other speakers.
  Set heard;
  // About to be announced, if nobody else has them: who probes for one wants it too.
  Set probed;

  bool contains(const Address& address) const { return heard.contains(address) || probed.contains(address); }
};

}  // namespace herald
