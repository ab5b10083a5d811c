#include "arp.h"

namespace herald {

namespace {

constexpr Mac kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
// EtherType ARP, hardware type Ethernet, protocol type IPv4, lengths 6 and 4: frame offset 12, 8 bytes.
constexpr std::array<uint8_t, 8> kIPv4OverEthernet = {0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04};
// Offsets in the frame.
constexpr size_t kTypes = 12, kOperation = 20, kSenderMac = 22, kSenderIP = 28, kTargetMac = 32, kTargetIP = 38;
constexpr size_t kSize = 42;

bool isZero(const uint8_t* ip) { return (ip[0] | ip[1] | ip[2] | ip[3]) == 0; }

}  // namespace

std::variant<Arp, Counter> readArp(const uint8_t* frame, size_t size, const Mac& own) {
  if (size < kSize) return Counter::ArpShort;
  if (std::memcmp(frame, kBroadcast.data(), 6) != 0 && std::memcmp(frame, own.data(), 6) != 0) {
    return Counter::ArpForeignDestination;
  }
  if (std::memcmp(frame + kTypes, kIPv4OverEthernet.data(), kIPv4OverEthernet.size()) != 0) {
    return Counter::ArpNotIPv4OverEthernet;
  }
  const int operation = frame[kOperation] << 8 | frame[kOperation + 1];
  if (operation != 1 && operation != 2) return Counter::ArpUnknownOperation;
  if (!isUnicast(frame + kSenderMac)) return Counter::ArpBadSender;
  return Arp{operation == 1, frame, frame + kSenderMac, frame + kSenderIP, frame + kTargetIP};
}

Counter answer(const Arp& arp, const Mac& own, const AddressTable& table, Reply& reply) {
  if (!arp.request) return Counter::ArpReplies;
  // RFC 5227 section 3: an announcement asks nothing.
  if (std::memcmp(arp.senderIP, arp.targetIP, 4) == 0) return Counter::ArpGratuitous;
  const Mac* mac = table.find(mappedIPv4(arp.targetIP));
  if (mac == nullptr) return Counter::ArpNotOurs;

  uint8_t* out = reply.frame.data();
  std::memcpy(out, arp.senderMac, 6);
  std::memcpy(out + 6, own.data(), 6);
  std::memcpy(out + kTypes, kIPv4OverEthernet.data(), kIPv4OverEthernet.size());
  out[kOperation] = 0;
  out[kOperation + 1] = 2;
  std::memcpy(out + kSenderMac, mac->data(), 6);
  std::memcpy(out + kSenderIP, arp.targetIP, 4);
  std::memcpy(out + kTargetMac, arp.senderMac, 6);
  std::memcpy(out + kTargetIP, arp.senderIP, 4);
  reply.size = kSize;
  return Counter::ArpAnswered;
}

std::optional<Sighting> sight(const Arp& arp, const Watched& watched) {
  Sighting sighting{mappedIPv4(arp.senderIP), {}, SightingKind::Request};
  std::memcpy(sighting.mac.data(), arp.senderMac, 6);
  if (arp.request && isZero(arp.senderIP)) {
    sighting.ip = mappedIPv4(arp.targetIP);
    sighting.kind = SightingKind::Probe;
    if (!watched.probed.contains(sighting.ip)) return std::nullopt;
  } else if (!arp.request && std::memcmp(arp.destination, kBroadcast.data(), 6) != 0) {
    sighting.kind = SightingKind::Reply;
  } else if (!arp.request || std::memcmp(arp.senderIP, arp.targetIP, 4) == 0) {
    sighting.kind = SightingKind::Announcement;
  }
  return sighting;
}

}  // namespace herald
