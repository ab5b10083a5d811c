// The addresses that are answered for, and the MAC each is answered with.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unordered_map>

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
      Address address;
      Mac mac;
      std::memcpy(address.data(), packed + at, address.size());
      std::memcpy(mac.data(), packed + at + address.size(), mac.size());
      entries_[address] = mac;
    }
  }

  const Mac* find(const Address& address) const {
    auto entry = entries_.find(address);
    return entry == entries_.end() ? nullptr : &entry->second;
  }

 private:
  struct Hash {
    size_t operator()(const Address& address) const {
      uint64_t high, low;
      std::memcpy(&high, address.data(), 8);
      std::memcpy(&low, address.data() + 8, 8);
      return (high * 0x9e3779b97f4a7c15 ^ low) * 0xff51afd7ed558ccd >> 17;
    }
  };
  std::unordered_map<Address, Mac, Hash> entries_;
};

}  // namespace herald
