// Opens the kernel's sockets and asks about the interface. Everything here needs CAP_NET_RAW and nothing more.
#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <thread>

#include "address_table.h"

namespace herald {

inline constexpr uint16_t kHelloEtherType = 0x88b5;
inline constexpr Mac kHelloGroup = {0x03, 0x48, 0x45, 0x52, 0x4c, 0x44};

// `code` is the HeraldError code; what() says what was asked of the kernel and its answer.
class OpenError : public std::runtime_error {
 public:
  OpenError(const char* stableCode, const std::string& what) : std::runtime_error(what), code(stableCode) {}
  const char* const code;
};

// A file descriptor that is closed with its owner.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();
  operator int() const { return fd_; }

 private:
  int fd_;
};

struct Link {
  int ifindex = 0;  // 0: there is no such interface
  bool ethernet = false;
  bool adminUp = false;
  bool up = false;  // administratively up, with carrier
  bool noArp = false;
  int master = 0;  // ifindex of the bridge or bond that it is a port of; 0: none
  uint32_t mtu = 0;
  Mac mac{};
  bool operator==(const Link&) const = default;
};

// Each socket comes out unbound: nothing is received before bindTo().
Descriptor openArpSocket();
Descriptor openNdpSocket();
Descriptor openHelloSocket();
// Receives nothing, so its errors are those of sending alone.
Descriptor openSendSocket();
// Readable at every change of any interface.
Descriptor openLinkSocket();
// For readLink().
Descriptor openLinkRequests();
// Holds memberships in groups. Less than 0: refused.
Descriptor openGroupSocket();
Descriptor openWakeup();
// An epoll that tells of all that there is to read; `data.fd` names the socket.
Descriptor openEvents(std::initializer_list<int> sockets);

// Reads what the kernel says now about an interface.
Link readLink(int socket, const std::string& interface);
// The interface a packet socket is bound to; 0 or less when none (the kernel unbinds at a delete).
int boundTo(int socket);
// Gives 0 or an errno.
int bindTo(int socket, uint16_t etherType, int ifindex);
int joinGroup(int socket, const Mac& group, int ifindex);
int joinAllGroups(int socket, int ifindex);
void leaveAllGroups(int socket, int ifindex);
// `group`: the last 24 bits of the addresses that it is for.
int joinSolicitedNodeGroup(int socket, uint32_t group, int ifindex);
void leaveSolicitedNodeGroup(int socket, uint32_t group, int ifindex);
// Frames dropped because the receive buffer was full, since the last call.
uint32_t takeOverruns(int socket);

// Starts a thread that gets no signal: those are for Node's own. Throws OpenError.
std::thread startThread(const char* name, std::function<void()> run);

}  // namespace herald
