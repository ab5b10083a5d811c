#include "arp_responder.h"

namespace herald {

namespace {

constexpr Mac kBroadcast = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
// EtherType ARP, hardware type Ethernet, protocol type IPv4, lengths 6 and 4: frame offset 12, 8 bytes.
constexpr std::array<uint8_t, 8> kIPv4OverEthernet = {0x08, 0x06, 0x00, 0x01, 0x08, 0x00, 0x06, 0x04};
// Offsets in the frame.
constexpr size_t kTypes = 12, kOperation = 20, kSenderMac = 22, kSenderIP = 28, kTargetMac = 32, kTargetIP = 38;

bool isUnicast(const uint8_t* mac) {
  static constexpr Mac kZero{};
  return (mac[0] & 1) == 0 && std::memcmp(mac, kZero.data(), kZero.size()) != 0;
}

}  // namespace

Counter answerArp(const uint8_t* frame, size_t size, const Mac& own, const AddressTable& table, ArpFrame& reply) {
  if (size < kArpFrameSize) return Counter::Short;
  if (std::memcmp(frame, kBroadcast.data(), 6) != 0 && std::memcmp(frame, own.data(), 6) != 0) {
    return Counter::ForeignDestination;
  }
  if (std::memcmp(frame + kTypes, kIPv4OverEthernet.data(), kIPv4OverEthernet.size()) != 0) {
    return Counter::NotIPv4OverEthernet;
  }
  const int operation = frame[kOperation] << 8 | frame[kOperation + 1];
  if (operation == 2) return Counter::Replies;
  if (operation != 1) return Counter::UnknownOperation;
  // RFC 5227 section 3: an announcement asks nothing.
  if (std::memcmp(frame + kSenderIP, frame + kTargetIP, 4) == 0) return Counter::Gratuitous;
  if (!isUnicast(frame + kSenderMac)) return Counter::BadSender;
  const Mac* mac = table.find(mappedIPv4(frame + kTargetIP));
  if (mac == nullptr) return Counter::NotOurs;

  uint8_t* out = reply.data();
  std::memcpy(out, frame + kSenderMac, 6);
  std::memcpy(out + 6, own.data(), 6);
  std::memcpy(out + kTypes, kIPv4OverEthernet.data(), kIPv4OverEthernet.size());
  out[kOperation] = 0;
  out[kOperation + 1] = 2;
  std::memcpy(out + kSenderMac, mac->data(), 6);
  std::memcpy(out + kSenderIP, frame + kTargetIP, 4);
  std::memcpy(out + kTargetMac, frame + kSenderMac, 6);
  std::memcpy(out + kTargetIP, frame + kSenderIP, 4);
  return Counter::Answered;
}

}  // namespace herald
