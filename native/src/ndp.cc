#include "ndp.h"

namespace herald {

namespace {

// Offsets in the frame.
constexpr size_t kPayloadLength = 18, kHopLimit = 21, kSourceIP = 22,
                 kDestinationIP = 38, kIcmp = 54, kCode = 55, kChecksum = 56, kTargetIP = 62, kOptions = 78;
constexpr uint8_t kIcmpv6 = 58, kSolicitation = 135, kAdvertisement = 136;
constexpr uint8_t kSourceMacOption = 1, kTargetMacOption = 2;
constexpr uint8_t kSolicited = 0x40, kOverride = 0x20;
constexpr size_t kOptionSize = 8;
constexpr Address kUnspecified{};
constexpr Address kAllNodes = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
constexpr Mac kAllNodesMac = {0x33, 0x33, 0, 0, 0, 1};

uint8_t* put(uint8_t* out, const void* bytes, size_t size) {
  std::memcpy(out, bytes, size);
  return out + size;
}

bool isMulticast(const uint8_t* ip) { return ip[0] == 0xff; }
bool isUnspecified(const uint8_t* ip) { return std::memcmp(ip, kUnspecified.data(), 16) == 0; }

// RFC 4291 section 2.7.1.
bool isSolicitedNodeGroup(const uint8_t* group, const uint8_t* ip) {
  static constexpr std::array<uint8_t, 13> kPrefix = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(group, kPrefix.data(), 13) == 0 && std::memcmp(group + 13, ip + 13, 3) == 0;
}

bool isSolicitedNodeMac(const uint8_t* mac, const uint8_t* ip) {
  return mac[0] == 0x33 && mac[1] == 0x33 && mac[2] == 0xff && std::memcmp(mac + 3, ip + 13, 3) == 0;
}

// RFC 4443 section 2.3: over pseudo-header and ICMPv6. 0 where the frame has the right one.
uint16_t checksum(const uint8_t* frame, size_t end) {
  uint64_t sum = end - kIcmp + kIcmpv6;
  size_t at = kSourceIP;
  for (; at + 1 < end; at += 2) sum += static_cast<uint64_t>(frame[at] << 8 | frame[at + 1]);
  if (at < end) sum += static_cast<uint64_t>(frame[at] << 8);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

// Gives false where the options don't end with the frame, or one has no length.
bool findMac(const uint8_t* frame, size_t end, uint8_t type, const uint8_t*& mac) {
  for (size_t at = kOptions; at < end;) {
    if (at + 1 >= end) return false;
    const size_t length = kOptionSize * frame[at + 1];
    if (length == 0 || at + length > end) return false;
    if (mac == nullptr && frame[at] == type && length == kOptionSize) mac = frame + at + 2;
    at += length;
  }
  return true;
}

// The MAC to answer to: an asker that knows us already need not name its own (RFC 4861 section 4.3).
const uint8_t* askerMac(const Ndp& ndp) { return ndp.mac != nullptr ? ndp.mac : ndp.source; }

}  // namespace

std::variant<Ndp, Counter> readNdp(const uint8_t* frame, size_t size) {
  if (size < kOptions) return Counter::NdpShort;
  const size_t end = kIcmp + static_cast<size_t>(frame[kPayloadLength] << 8 | frame[kPayloadLength + 1]);
  if (end < kOptions || end > size) return Counter::NdpShort;
  if (frame[kHopLimit] != 255) return Counter::NdpBadHopLimit;
  if (frame[kCode] != 0) return Counter::NdpUnknownCode;
  if (checksum(frame, end) != 0) return Counter::NdpBadChecksum;
  Ndp ndp{frame[kIcmp] == kSolicitation, frame,   frame + 6, frame + kSourceIP, frame + kDestinationIP,
          frame + kTargetIP,             nullptr};
  if (isMulticast(ndp.targetIP) || isUnspecified(ndp.targetIP)) return Counter::NdpBadTarget;
  if (!findMac(frame, end, ndp.solicitation ? kSourceMacOption : kTargetMacOption, ndp.mac)) {
    return Counter::NdpBadOptions;
  }
  if (!ndp.solicitation) return ndp;
  if (isUnspecified(ndp.sourceIP) && ndp.mac != nullptr) return Counter::NdpBadOptions;
  if (isMulticast(ndp.sourceIP) || !isUnicast(askerMac(ndp))) return Counter::NsBadSource;
  return ndp;
}

Counter answer(const Ndp& ndp, const Mac& own, const AddressTable& table, Reply& reply) {
  if (!ndp.solicitation) return Counter::NdpAdvertisements;
  const bool toGroup = isSolicitedNodeGroup(ndp.destinationIP, ndp.targetIP);
  if (std::memcmp(ndp.destination, own.data(), 6) != 0 && !isSolicitedNodeMac(ndp.destination, ndp.targetIP)) {
    return Counter::NsForeignDestination;
  }
  if (!toGroup && std::memcmp(ndp.destinationIP, ndp.targetIP, 16) != 0) return Counter::NsForeignDestination;
  const bool probe = isUnspecified(ndp.sourceIP);
  // RFC 4861 section 7.1.1 for probes. Who asks for its own address has no use for an answer.
  if ((probe && !toGroup) || std::memcmp(ndp.sourceIP, ndp.targetIP, 16) == 0) return Counter::NsBadSource;
  const Mac* mac = table.find(ipv6(ndp.targetIP));
  if (mac == nullptr) return Counter::NsNotOurs;

  static constexpr uint8_t kTypeToHopLimit[] = {0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, kIcmpv6, 255};
  uint8_t* out = put(reply.frame.data(), probe ? kAllNodesMac.data() : askerMac(ndp), 6);
  out = put(put(out, own.data(), 6), kTypeToHopLimit, sizeof kTypeToHopLimit);
  out = put(put(out, ndp.targetIP, 16), probe ? kAllNodes.data() : ndp.sourceIP, 16);
  const uint8_t flags = probe ? kOverride : kSolicited | kOverride;
  const uint8_t fixed[] = {kAdvertisement, 0, 0, 0, flags, 0, 0, 0};
  static constexpr uint8_t kOption[] = {kTargetMacOption, 1};
  out = put(put(put(put(out, fixed, sizeof fixed), ndp.targetIP, 16), kOption, sizeof kOption), mac->data(), 6);
  reply.size = static_cast<size_t>(out - reply.frame.data());
  const uint16_t sum = checksum(reply.frame.data(), reply.size);
  reply.frame[kChecksum] = static_cast<uint8_t>(sum >> 8);
  reply.frame[kChecksum + 1] = static_cast<uint8_t>(sum);
  return Counter::NsAnswered;
}

std::optional<Sighting> sight(const Ndp& ndp, const Watched& watched) {
  const uint8_t* mac = askerMac(ndp);
  if (!isUnicast(mac)) return std::nullopt;
  Sighting sighting{ipv6(ndp.targetIP), {}, SightingKind::Reply};
  std::memcpy(sighting.mac.data(), mac, 6);
  if (!ndp.solicitation) {
    if ((ndp.destination[0] & 1) != 0) sighting.kind = SightingKind::Announcement;
  } else if (isUnspecified(ndp.sourceIP)) {
    sighting.kind = SightingKind::Probe;
    if (!watched.probed.contains(sighting.ip)) return std::nullopt;
  } else {
    sighting.ip = ipv6(ndp.sourceIP);
    sighting.kind = SightingKind::Request;
  }
  return sighting;
}

}  // namespace herald
